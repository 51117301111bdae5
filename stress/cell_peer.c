#include "stress/cell.h"

int main(int argc, char **argv) {
    return stress_cell_main(argc, argv, NULL);
}
