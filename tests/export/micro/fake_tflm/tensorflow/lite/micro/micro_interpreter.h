// The part of tflite-micro's interface that our sources call, declared anew for tests: an interpreter that answers with
// what a test scripted, and notes what it was fed.
#ifndef FAKE_MICRO_INTERPRETER_H_
#define FAKE_MICRO_INTERPRETER_H_

#include <stddef.h>
#include <stdint.h>

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
enum TfLiteType { kTfLiteNoType = 0, kTfLiteFloat32 = 1, kTfLiteUInt8 = 3, kTfLiteInt16 = 7, kTfLiteInt8 = 9 };

union TfLitePtrUnion {
  char* raw;
  const char* raw_const;
  void* data;
};

struct TfLiteTensor {
  TfLiteType type;
  TfLitePtrUnion data;
  size_t bytes;
};

namespace tflite {

struct Model {
  uint32_t version() const;
};

class MicroOpResolver {
 public:
  virtual ~MicroOpResolver() {}
};

class MicroInterpreter {
 public:
  MicroInterpreter(const Model* model, const MicroOpResolver& resolver, uint8_t* arena, size_t arena_size);
  ~MicroInterpreter() {}
  TfLiteStatus AllocateTensors();
  TfLiteStatus Invoke();
  TfLiteStatus Reset();
  TfLiteTensor* input(size_t index);
  TfLiteTensor* output(size_t index);
  size_t inputs_size() const;
  size_t outputs_size() const;
  size_t arena_used_bytes() const;

 private:
  TfLiteTensor inputs_[8];
  TfLiteTensor outputs_[8];
  uint8_t* arena_;
  size_t arena_size_;
};

}  // namespace tflite

#endif
