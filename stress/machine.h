#ifndef LINN_STRESS_MACHINE_H_
#define LINN_STRESS_MACHINE_H_

/* machine: what every output says of the place where it was measured. */

#ifdef __cplusplus
extern "C" {
#endif

struct stress_machine {
    char cpu[128];
    char kernel[128];
    int cores;
    char compiler[96];
    char commit[64]; /* with "+changes" behind it; "unknown" outside git */
    char build[64];  /* "opt", or what makes the times no times */
};

void stress_machine_read(struct stress_machine *machine);

#ifdef __cplusplus
}
#endif

#endif /* LINN_STRESS_MACHINE_H_ */
