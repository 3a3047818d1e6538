// See micro_interpreter.h. Of the operators only those that the tests' models use.
#ifndef FAKE_MICRO_MUTABLE_OP_RESOLVER_H_
#define FAKE_MICRO_MUTABLE_OP_RESOLVER_H_

#include "tensorflow/lite/micro/micro_interpreter.h"

namespace tflite {

template <unsigned int tOpCount>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  TfLiteStatus AddAdd() { return Count(); }
  TfLiteStatus AddConv2D() { return Count(); }
  TfLiteStatus AddDequantize() { return Count(); }
  TfLiteStatus AddFullyConnected() { return Count(); }
  TfLiteStatus AddGather() { return Count(); }
  TfLiteStatus AddLess() { return Count(); }
  TfLiteStatus AddLogicalAnd() { return Count(); }
  TfLiteStatus AddLogistic() { return Count(); }
  TfLiteStatus AddMaxPool2D() { return Count(); }
  TfLiteStatus AddMul() { return Count(); }
  TfLiteStatus AddQuantize() { return Count(); }
  TfLiteStatus AddReshape() { return Count(); }
  TfLiteStatus AddSoftmax() { return Count(); }
  TfLiteStatus AddSplit() { return Count(); }
  TfLiteStatus AddStridedSlice() { return Count(); }
  TfLiteStatus AddSub() { return Count(); }
  TfLiteStatus AddTanh() { return Count(); }
  TfLiteStatus AddUnidirectionalSequenceLSTM() { return Count(); }
  TfLiteStatus AddWhile() { return Count(); }

 private:
  void operator delete(void*) {}  // stricter than there, where it is public: no new, no delete
  TfLiteStatus Count() { return ++count_ <= tOpCount ? kTfLiteOk : kTfLiteError; }
  unsigned int count_ = 0;
};

}  // namespace tflite

#endif
