// The interpreter of the tests. It reads a script from the file named in $FAKE_SCRIPT:
//   tensor in|out TYPE BYTES      the tensors, in order
//   answer HEX                    what the outputs hold after a call, one for each call, all outputs behind each other
// and appends to $FAKE_LOG: "reset", and "invoke HEX" with all inputs behind each other. With $FAKE_BRIDGE each such
// line goes to that pipe instead, and the answer is read from the pipe $FAKE_ANSWERS: a real interpreter is behind them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

struct Edge {
  TfLiteType type;
  size_t bytes;
};

const size_t kMost = 1 << 16;
Edge edges[16];
size_t ins = 0;
size_t outs = 0;
FILE* script = nullptr;

// Reads the tensors; the file stays open at the first answer.
void read_script() {
  ins = outs = 0;
  if (script != nullptr) fclose(script);
  const char* path = getenv("FAKE_SCRIPT");
  script = path == nullptr ? nullptr : fopen(path, "r");
  char way[8];
  int type;
  unsigned long bytes;
  while (script != nullptr && fscanf(script, " tensor %7s %d %lu", way, &type, &bytes) == 3) {
    const Edge edge = {static_cast<TfLiteType>(type), bytes};
    edges[ins + outs] = edge;
    ++(strcmp(way, "in") == 0 ? ins : outs);
  }
}

void note(const char* line) {
  static FILE* bridge = nullptr;
  const char* path = getenv("FAKE_BRIDGE");
  if (path != nullptr && bridge == nullptr) bridge = fopen(path, "w");
  const char* log_path = getenv("FAKE_LOG");
  FILE* file = path != nullptr ? bridge : log_path == nullptr ? nullptr : fopen(log_path, "a");
  if (file == nullptr) return;
  fprintf(file, "%s\n", line);
  if (file == bridge) {
    fflush(file);
  } else {
    fclose(file);
  }
}

bool next_answer(char* text) {
  static FILE* answers = nullptr;
  const char* path = getenv("FAKE_ANSWERS");
  if (path != nullptr) {
    if (answers == nullptr) answers = fopen(path, "r");
    return answers != nullptr && fscanf(answers, "%65535s", text) == 1;
  }
  return script != nullptr && fscanf(script, " answer %65535s", text) == 1;
}

}  // namespace

namespace tflite {

uint32_t Model::version() const { return memcmp(reinterpret_cast<const char*>(this) + 4, "TFL3", 4) == 0 ? 3 : 0; }

const Model* GetModel(const void* data) { return static_cast<const Model*>(data); }

MicroInterpreter::MicroInterpreter(const Model*, const MicroOpResolver&, uint8_t* arena, size_t arena_size)
    : arena_(arena), arena_size_(arena_size) {
  read_script();
}

TfLiteStatus MicroInterpreter::AllocateTensors() {
  size_t used = 0;
  for (size_t at = 0; at < ins + outs; ++at) {
    TfLiteTensor& tensor = at < ins ? inputs_[at] : outputs_[at - ins];
    tensor.type = edges[at].type;
    tensor.bytes = edges[at].bytes;
    tensor.data.raw = reinterpret_cast<char*>(arena_ + used);
    used += (edges[at].bytes + 15) / 16 * 16;
    if (used > arena_size_) return kTfLiteError;
  }
  return kTfLiteOk;
}

TfLiteStatus MicroInterpreter::Invoke() {
  static char text[kMost];
  size_t place = static_cast<size_t>(snprintf(text, sizeof(text), "invoke "));
  for (size_t at = 0; at < ins; ++at) {
    for (size_t byte = 0; byte < inputs_[at].bytes; ++byte, place += 2) {
      snprintf(text + place, sizeof(text) - place, "%02x", static_cast<unsigned char>(inputs_[at].data.raw[byte]));
    }
    memset(inputs_[at].data.raw, 0x55, inputs_[at].bytes);  // a real arena reuses their place
  }
  note(text);
  if (!next_answer(text)) return kTfLiteError;
  place = 0;
  for (size_t at = 0; at < outs; ++at) {
    for (size_t byte = 0; byte < outputs_[at].bytes; ++byte, place += 2) {
      char digits[3] = {text[place], text[place + 1], 0};
      outputs_[at].data.raw[byte] = static_cast<char>(strtol(digits, nullptr, 16));
    }
  }
  return kTfLiteOk;
}

TfLiteStatus MicroInterpreter::Reset() {
  note("reset");
  return kTfLiteOk;
}

TfLiteTensor* MicroInterpreter::input(size_t index) { return &inputs_[index]; }
TfLiteTensor* MicroInterpreter::output(size_t index) { return &outputs_[index]; }
size_t MicroInterpreter::inputs_size() const { return ins; }
size_t MicroInterpreter::outputs_size() const { return outs; }
size_t MicroInterpreter::arena_used_bytes() const { return arena_size_; }

}  // namespace tflite
