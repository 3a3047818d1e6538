/* The model as five calls; no heap, C linkage, one caller at a time.
 *
 *   zoo_init();
 *   for (;;) {
 *     if (zoo_push(sample) == ZOO_OK && zoo_ready()) {
 *       zoo_output_t answer;
 *       if (zoo_run(&answer) == ZOO_OK) use(answer.label, answer.values);
 *     }
 *   }
 *
 * A sample is raw, as a sensor gives it: zoo_config.h says of how many numbers.
 */
#ifndef ZOO_MODEL_H
#define ZOO_MODEL_H

#include <stddef.h>

#include "zoo_config.h"
#include "zoo_pre.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  ZOO_OK = 0,
  ZOO_NOT_INITIALISED = 1, /* zoo_init was not called, or failed */
  ZOO_BAD_MODEL = 2,       /* the model array is not the one these files were made for */
  ZOO_NO_MEMORY = 3,       /* the arena is too small here: define ZOO_ARENA_BYTES larger */
  ZOO_BAD_SAMPLE = 4,      /* a number is missing, infinite or too large; the sample was not taken */
  ZOO_NOT_READY = 5,       /* more samples are needed first: see zoo_ready */
  ZOO_RUN_FAILED = 6,      /* an operator of the interpreter failed */
  ZOO_NO_ANSWER = 7        /* the model's outputs are not finite */
};

/* Makes the interpreter; call it once. Returns ZOO_OK, ZOO_BAD_MODEL or ZOO_NO_MEMORY. */
int zoo_init(void);

/* Takes one raw sample of ZOO_SAMPLE_SIZE numbers: a row, one time step, or all pixels of a frame (rows from the top,
 * channels together). Returns ZOO_OK, ZOO_BAD_SAMPLE, ZOO_NOT_INITIALISED or ZOO_RUN_FAILED. */
int zoo_push(const zoo_sample_t* sample);

/* 1 when there is an answer that was not fetched yet, else 0. */
int zoo_ready(void);

/* Fetches the answer. Returns ZOO_OK, ZOO_NOT_READY, ZOO_RUN_FAILED, ZOO_NO_ANSWER or ZOO_NOT_INITIALISED. */
int zoo_run(zoo_output_t* answer);

/* Forgets all samples and all state: a new recording begins. */
void zoo_reset(void);

/* Bytes of the arena in use on this board; 0 before zoo_init. Set ZOO_ARENA_BYTES by it. */
size_t zoo_arena_used(void);

/* Replays the golden samples and prints what differs; returns how many do. In zoo_selftest.cpp, which a product leaves
 * out. */
int zoo_selftest(void);

#ifdef __cplusplus
}
#endif

#endif
