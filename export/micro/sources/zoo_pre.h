/* What happens before and after the model, in plain C99: preparation of raw samples, quantization, window, answer.
 *
 * The same numbers as preprocessing.py in the bundle: products and sums in double, rounding half to even. Compile with
 * -ffp-contract=off and without -ffast-math, or the last bit may differ and missing values go unseen.
 */
#ifndef ZOO_PRE_H
#define ZOO_PRE_H

#include <stdint.h>

#include "zoo_config.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  float values[ZOO_OUTPUTS]; /* probabilities, values in target units, or the score of an anomaly */
  int label;                 /* index of the label (zoo_labels); -1 where the task has none */
} zoo_output_t;

/* Samples in the order they came, already prepared; its size is fixed. */
typedef struct {
  zoo_input_t values[ZOO_WINDOW * ZOO_FEATURES];
  uint32_t next;   /* where the next sample goes, in samples */
  uint32_t filled; /* samples in it */
  uint32_t since;  /* samples since the last answer was due */
} zoo_window_t;

/* One raw sample (ZOO_SAMPLE_SIZE numbers) to what the model is fed (ZOO_FEATURES values). Returns 0 where a number is
 * missing without a default, infinite or too large. */
int zoo_prepare(const zoo_sample_t* sample, zoo_input_t* features);

/* A real value in steps: scaled, rounded half to even, moved by the zero point, clipped. */
int32_t zoo_quantise(float value, float scale, int32_t zero_point, int32_t low, int32_t high);

/* Steps as a real value. */
float zoo_dequantise(int32_t steps, float scale, int32_t zero_point);

/* A real value as the model's input takes it. */
zoo_input_t zoo_quantise_input(float value);

void zoo_window_reset(zoo_window_t* window);

/* Adds one prepared sample; returns 1 when an answer is due: when the window is full, then after every ZOO_HOP. */
int zoo_window_push(zoo_window_t* window, const zoo_input_t* features);

/* Copies the last ZOO_WINDOW samples, the oldest first. */
void zoo_window_copy(const zoo_window_t* window, zoo_input_t* input);

/* Real outputs of the model (ZOO_OUTPUTS) to the answer; returns 0 where one of them is not finite. */
int zoo_answer(const float* outputs, zoo_output_t* answer);

#ifdef __cplusplus
}
#endif

#endif
