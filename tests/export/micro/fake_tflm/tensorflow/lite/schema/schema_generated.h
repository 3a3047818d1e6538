// See micro_interpreter.h.
#ifndef FAKE_SCHEMA_GENERATED_H_
#define FAKE_SCHEMA_GENERATED_H_

#include "tensorflow/lite/micro/micro_interpreter.h"

namespace tflite {
const Model* GetModel(const void* data);
}

#endif
