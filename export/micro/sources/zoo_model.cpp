// The calls of zoo_model.h over tflite-micro's interpreter; everything lies in static memory.
#include "zoo_model.h"

#include <string.h>

#include <new>

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/schema/schema_generated.h"
#include "zoo_model_data.h"
#include "zoo_resolver.h"

#ifndef ZOO_ARENA_PLACE  // such as __attribute__((section(".sdram")))
#define ZOO_ARENA_PLACE
#endif

namespace {

alignas(16) ZOO_ARENA_PLACE uint8_t arena[ZOO_ARENA_BYTES];
ZooResolver resolver;
bool added = false;
alignas(tflite::MicroInterpreter) uint8_t interpreter_place[sizeof(tflite::MicroInterpreter)];
tflite::MicroInterpreter* interpreter = nullptr;
bool ready = false;

#if ZOO_STATES > 0
zoo_state_value_t states[ZOO_STATE_VALUES];  // as the next call takes them
uint32_t steps = 0;                          // samples since the states were zero
#elif ZOO_WINDOW > 1
zoo_window_t window;
#endif

template <typename T>
T* values_of(TfLiteTensor* tensor) {
  return static_cast<T*>(static_cast<void*>(tensor->data.raw));
}

bool fits(const TfLiteTensor* tensor, TfLiteType type, size_t bytes) {
  return tensor != nullptr && tensor->type == type && tensor->bytes == bytes;
}

bool is_ours() {
  const size_t input_bytes = sizeof(zoo_input_t) * ZOO_INPUT_VALUES;
  const size_t output_bytes = sizeof(zoo_raw_output_t) * ZOO_OUTPUTS;
  if (interpreter->inputs_size() != ZOO_STATES + 1 || interpreter->outputs_size() != ZOO_STATES + 1) return false;
  return fits(interpreter->input(ZOO_INPUT_INDEX), ZOO_INPUT_TYPE, input_bytes) &&
         fits(interpreter->output(ZOO_OUTPUT_INDEX), ZOO_OUTPUT_TYPE, output_bytes);
}

float real_output(const zoo_raw_output_t value) {
#if ZOO_OUTPUT_QUANTIZED
  return zoo_dequantise(value, ZOO_OUTPUT_SCALE, ZOO_OUTPUT_ZERO_POINT);
#else
  return value;
#endif
}

#if ZOO_STATES > 0

zoo_state_value_t converted(const zoo_state_t& state, zoo_state_value_t value) {
#if ZOO_STATE_QUANTIZED
  if (state.input_scale == state.output_scale && state.input_zero_point == state.output_zero_point) return value;
  const float real = zoo_dequantise(value, state.output_scale, state.output_zero_point);
  return static_cast<zoo_state_value_t>(
      zoo_quantise(real, state.input_scale, state.input_zero_point, ZOO_STATE_LOW, ZOO_STATE_HIGH));
#else
  (void)state;
  return value;
#endif
}

void clear_states() {
  for (const zoo_state_t& state : zoo_states) {
    for (uint32_t at = 0; at < state.size; ++at) {
#if ZOO_STATE_QUANTIZED  // zero in real numbers
      states[state.start + at] = static_cast<zoo_state_value_t>(state.input_zero_point);
#else
      states[state.start + at] = 0;
#endif
    }
  }
  steps = 0;
}

int take(const zoo_sample_t* sample) {
  zoo_input_t features[ZOO_FEATURES];
  if (!zoo_prepare(sample, features)) return ZOO_BAD_SAMPLE;
  if (ZOO_RESET_AFTER > 0 && steps == ZOO_RESET_AFTER) clear_states();
  memcpy(interpreter->input(ZOO_INPUT_INDEX)->data.raw, features, sizeof(features));
  for (const zoo_state_t& state : zoo_states) {
    memcpy(interpreter->input(state.input)->data.raw, &states[state.start], sizeof(zoo_state_value_t) * state.size);
  }
  ready = false;
  if (interpreter->Invoke() != kTfLiteOk) return ZOO_RUN_FAILED;
  for (const zoo_state_t& state : zoo_states) {
    const zoo_state_value_t* found = values_of<zoo_state_value_t>(interpreter->output(state.output));
    for (uint32_t at = 0; at < state.size; ++at) states[state.start + at] = converted(state, found[at]);
  }
  ++steps;
  ready = ZOO_ANSWER_EACH || steps == ZOO_STEPS;
  return ZOO_OK;
}

int compute() { return ZOO_OK; }  // each sample was computed as it came

#elif ZOO_WINDOW > 1

int take(const zoo_sample_t* sample) {
  zoo_input_t features[ZOO_FEATURES];
  if (!zoo_prepare(sample, features)) return ZOO_BAD_SAMPLE;
  if (zoo_window_push(&window, features)) ready = true;
  return ZOO_OK;
}

#else

int take(const zoo_sample_t* sample) {
  ready = zoo_prepare(sample, values_of<zoo_input_t>(interpreter->input(ZOO_INPUT_INDEX))) != 0;
  return ready ? ZOO_OK : ZOO_BAD_SAMPLE;
}

#endif

#if ZOO_STATES == 0

int compute() {
#if ZOO_RESET_PER_SEQUENCE  // the LSTM operator keeps its state from call to call
  if (interpreter->Reset() != kTfLiteOk) return ZOO_RUN_FAILED;
#endif
#if ZOO_WINDOW > 1  // the arena reuses the input's place, so the window is copied each time
  zoo_window_copy(&window, values_of<zoo_input_t>(interpreter->input(ZOO_INPUT_INDEX)));
#endif
  return interpreter->Invoke() == kTfLiteOk ? ZOO_OK : ZOO_RUN_FAILED;
}

#endif

}  // namespace

extern "C" {

int zoo_init(void) {
  interpreter = nullptr;
  const tflite::Model* model = tflite::GetModel(zoo_model_data);
  if (model->version() != ZOO_SCHEMA_VERSION) return ZOO_BAD_MODEL;
  if (!added && zoo_add_operators(resolver) != kTfLiteOk) return ZOO_BAD_MODEL;
  added = true;
  tflite::MicroInterpreter* made =
      new (interpreter_place) tflite::MicroInterpreter(model, resolver, arena, sizeof(arena));
  if (made->AllocateTensors() != kTfLiteOk) return ZOO_NO_MEMORY;
  interpreter = made;
  if (!is_ours()) {
    interpreter = nullptr;
    return ZOO_BAD_MODEL;
  }
  zoo_reset();
  return ZOO_OK;
}

int zoo_push(const zoo_sample_t* sample) { return interpreter == nullptr ? ZOO_NOT_INITIALISED : take(sample); }

int zoo_ready(void) { return ready ? 1 : 0; }

int zoo_run(zoo_output_t* answer) {
  if (interpreter == nullptr) return ZOO_NOT_INITIALISED;
  if (!ready) return ZOO_NOT_READY;
  ready = false;
  if (compute() != ZOO_OK) return ZOO_RUN_FAILED;
  float outputs[ZOO_OUTPUTS];
  const zoo_raw_output_t* found = values_of<zoo_raw_output_t>(interpreter->output(ZOO_OUTPUT_INDEX));
  for (int at = 0; at < ZOO_OUTPUTS; ++at) outputs[at] = real_output(found[at]);
  return zoo_answer(outputs, answer) ? ZOO_OK : ZOO_NO_ANSWER;
}

void zoo_reset(void) {
  ready = false;
#if ZOO_STATES > 0
  clear_states();
#elif ZOO_WINDOW > 1
  zoo_window_reset(&window);
#endif
#if ZOO_RESET_PER_SEQUENCE
  if (interpreter != nullptr) interpreter->Reset();
#endif
}

size_t zoo_arena_used(void) { return interpreter == nullptr ? 0 : interpreter->arena_used_bytes(); }

}  // extern "C"
