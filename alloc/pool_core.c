#include "alloc/pool_core.h"

struct linn_pool_core linn_pool_cores[LINN_POOLS_MAX];
struct linn_class_checks linn_class_checks;
