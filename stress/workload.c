#include "stress/workload.h"

#include <string.h>

const struct stress_workload *const stress_workloads[] = {
    &stress_workload_pair,         &stress_workload_churn,
    &stress_workload_mix,          &stress_workload_gateway,
    &stress_workload_ring,         &stress_workload_hand_off,
    &stress_workload_larson,       &stress_workload_thread_churn,
    &stress_workload_trace,        &stress_workload_fork_storm,
    &stress_workload_signal_storm, NULL,
};

const struct stress_workload *stress_workload_named(const char *name) {
    for (size_t i = 0; stress_workloads[i] != NULL; i++) {
        if (strcmp(stress_workloads[i]->name, name) == 0) {
            return stress_workloads[i];
        }
    }
    return NULL;
}
