#include "stress/cell.h"

/* Compiled twice: in the twin this name is linn_locked_stress_subject. */
int main(int argc, char **argv) {
    return stress_cell_main(argc, argv, linn_stress_subject());
}
