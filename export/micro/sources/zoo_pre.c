#include "zoo_pre.h"

#include <math.h>
#include <string.h>

int32_t zoo_quantise(float value, float scale, int32_t zero_point, int32_t low, int32_t high) {
  const float steps = rintf(value / scale) + (float)zero_point;
  if (steps <= (float)low) return low;
  if (steps >= (float)high) return high;
  return (int32_t)steps;
}

float zoo_dequantise(int32_t steps, float scale, int32_t zero_point) {
  return ((float)steps - (float)zero_point) * scale;
}

zoo_input_t zoo_quantise_input(float value) {
#if ZOO_INPUT_QUANTIZED
  return (zoo_input_t)zoo_quantise(value, ZOO_INPUT_SCALE, ZOO_INPUT_ZERO_POINT, ZOO_INPUT_LOW, ZOO_INPUT_HIGH);
#else
  return value;
#endif
}

#if ZOO_PIXELS

int zoo_prepare(const zoo_sample_t* sample, zoo_input_t* features) {
  int at;
  for (at = 0; at < ZOO_FEATURES; ++at) {
#ifdef ZOO_PIXEL_SHIFT /* one quantization step is one grey level */
    features[at] = (zoo_input_t)((int)sample[at] + ZOO_PIXEL_SHIFT);
#else
    features[at] = zoo_quantise_input((float)sample[at]);
#endif
  }
  return 1;
}

#else

/* One feature: standardised in double, as the toolkit does, then quantized. Returns 0 where it is not finite. */
static int put(double value, int at, zoo_input_t* features) {
  float single;
#if ZOO_STANDARDISED
  value = value * zoo_scale[at] + zoo_offset[at];
#endif
#ifdef ZOO_CLIP
  if (value > ZOO_CLIP) value = ZOO_CLIP;
  if (value < -ZOO_CLIP) value = -ZOO_CLIP;
#endif
  single = (float)value;
  if (!isfinite(single)) return 0;
  features[at] = zoo_quantise_input(single);
  return 1;
}

#if ZOO_ENCODED

/* One raw number of a table to its features; returns how many, or -1. */
static int encode(double value, const zoo_column_t* column, int at, zoo_input_t* features) {
  const int missing = isnan(value) != 0;
  int fine = 1;
  int width = 1;
  int code;
  if (column->values > 0) {
    width = column->values;
    for (code = 0; code < width; ++code) fine &= put(value == code ? 1.0 : 0.0, at + code, features);
  } else {
    double number = missing ? column->fill : value;
    if (column->logarithm > 0.0) number = log1p((number > 0.0 ? number : 0.0) / column->logarithm);
    fine = put(number, at, features);
  }
  if (column->indicator) fine &= put(missing ? 1.0 : 0.0, at + width++, features);
  return fine ? width : -1;
}

int zoo_prepare(const zoo_sample_t* sample, zoo_input_t* features) {
  int at = 0;
  int column;
  for (column = 0; column < ZOO_SAMPLE_SIZE; ++column) {
    int width;
    if (isinf(sample[column])) return 0;
    width = encode((double)sample[column], &zoo_columns[column], at, features);
    if (width < 0) return 0;
    at += width;
  }
  return 1;
}

#else

int zoo_prepare(const zoo_sample_t* sample, zoo_input_t* features) {
  int at;
  for (at = 0; at < ZOO_FEATURES; ++at) {
    if (!isfinite(sample[at])) return 0;
    if (!put((double)sample[at], at, features)) return 0;
  }
  return 1;
}

#endif
#endif

void zoo_window_reset(zoo_window_t* window) {
  window->next = 0;
  window->filled = 0;
  window->since = 0;
}

int zoo_window_push(zoo_window_t* window, const zoo_input_t* features) {
  int due = 0;
  memcpy(&window->values[window->next * ZOO_FEATURES], features, sizeof(zoo_input_t) * ZOO_FEATURES);
  window->next = (window->next + 1) % ZOO_WINDOW;
  if (window->filled < ZOO_WINDOW) {
    ++window->filled;
    due = window->filled == ZOO_WINDOW;
  } else {
    ++window->since;
    due = window->since == ZOO_HOP;
  }
  if (due) window->since = 0;
  return due;
}

void zoo_window_copy(const zoo_window_t* window, zoo_input_t* input) {
  const uint32_t old = ZOO_WINDOW - window->next; /* samples from the oldest to the end of the ring */
  memcpy(input, &window->values[window->next * ZOO_FEATURES], sizeof(zoo_input_t) * old * ZOO_FEATURES);
  memcpy(input + old * ZOO_FEATURES, window->values, sizeof(zoo_input_t) * window->next * ZOO_FEATURES);
}

/* The first of the largest, the second of two from one half on, or of a score above the threshold; -1 where the task has no label. */
static int find_label(const float* values) {
#if ZOO_TASK == ZOO_MULTICLASS
  int at;
  int best = 0;
  for (at = 1; at < ZOO_OUTPUTS; ++at) {
    if (values[at] > values[best]) best = at;
  }
  return best;
#elif ZOO_TASK == ZOO_BINARY
  return values[0] >= 0.5f ? 1 : 0;
#elif ZOO_TASK == ZOO_ANOMALY
  return (double)values[0] > ZOO_THRESHOLD ? 1 : 0;
#else
  (void)values;
  return -1;
#endif
}

int zoo_answer(const float* outputs, zoo_output_t* answer) {
  int at;
  for (at = 0; at < ZOO_OUTPUTS; ++at) {
    float value = outputs[at];
#if ZOO_TARGET_STANDARDISED
    double moved = ((double)value - zoo_target_offset[at]) / zoo_target_scale[at];
#if ZOO_TARGET_LOGARITHM
    moved = expm1(moved);
#endif
    value = (float)moved;
#endif
    answer->values[at] = value;
    if (!isfinite(value)) {
      answer->label = -1;
      return 0;
    }
  }
  answer->label = find_label(answer->values);
  return 1;
}
