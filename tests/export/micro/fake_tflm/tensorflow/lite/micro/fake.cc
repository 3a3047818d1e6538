// The interpreter of the tests. It reads a script of lines from the file named in $FAKE_SCRIPT:
//   tensor in|out TYPE BYTES      the tensors, in order
//   answer HEX                    what the outputs hold after a call, one line a call, all outputs behind each other
// and appends to $FAKE_LOG: "reset", and "invoke HEX" with all inputs behind each other.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <string>
#include <vector>

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

struct Edge {
  TfLiteType type;
  size_t bytes;
};

std::vector<Edge> ins, outs;
std::vector<std::string> answers;
size_t calls = 0;

void read_script() {
  ins.clear();
  outs.clear();
  answers.clear();
  calls = 0;
  const char* path = getenv("FAKE_SCRIPT");
  FILE* file = path == nullptr ? nullptr : fopen(path, "r");
  if (file == nullptr) return;
  char way[8], text[1 << 16];
  int type;
  unsigned long bytes;
  while (fscanf(file, "%65535s", text) == 1) {
    if (strcmp(text, "tensor") == 0 && fscanf(file, "%7s %d %lu", way, &type, &bytes) == 3) {
      Edge edge = {static_cast<TfLiteType>(type), bytes};
      (strcmp(way, "in") == 0 ? ins : outs).push_back(edge);
    } else if (strcmp(text, "answer") == 0 && fscanf(file, "%65535s", text) == 1) {
      answers.push_back(text);
    }
  }
  fclose(file);
}

void log_line(const std::string& line) {
  const char* path = getenv("FAKE_LOG");
  FILE* file = path == nullptr ? nullptr : fopen(path, "a");
  if (file == nullptr) return;
  fprintf(file, "%s\n", line.c_str());
  fclose(file);
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
  for (size_t at = 0; at < ins.size() + outs.size(); ++at) {
    const bool in = at < ins.size();
    const Edge& edge = in ? ins[at] : outs[at - ins.size()];
    TfLiteTensor& tensor = in ? inputs_[at] : outputs_[at - ins.size()];
    tensor.type = edge.type;
    tensor.bytes = edge.bytes;
    tensor.data.raw = reinterpret_cast<char*>(arena_ + used);
    used += (edge.bytes + 15) / 16 * 16;
    if (used > arena_size_) return kTfLiteError;
  }
  return kTfLiteOk;
}

TfLiteStatus MicroInterpreter::Invoke() {
  std::string line = "invoke ";
  for (size_t at = 0; at < ins.size(); ++at) {
    for (size_t byte = 0; byte < inputs_[at].bytes; ++byte) {
      char digits[3];
      snprintf(digits, sizeof(digits), "%02x", static_cast<unsigned char>(inputs_[at].data.raw[byte]));
      line += digits;
    }
    memset(inputs_[at].data.raw, 0x55, inputs_[at].bytes);  // a real arena reuses their place
  }
  log_line(line);
  if (calls == answers.size()) return kTfLiteError;
  const std::string& answer = answers[calls++];
  size_t place = 0;
  for (size_t at = 0; at < outs.size(); ++at) {
    for (size_t byte = 0; byte < outputs_[at].bytes; ++byte, place += 2) {
      outputs_[at].data.raw[byte] = static_cast<char>(strtol(answer.substr(place, 2).c_str(), nullptr, 16));
    }
  }
  return kTfLiteOk;
}

TfLiteStatus MicroInterpreter::Reset() {
  log_line("reset");
  return kTfLiteOk;
}

TfLiteTensor* MicroInterpreter::input(size_t index) { return &inputs_[index]; }
TfLiteTensor* MicroInterpreter::output(size_t index) { return &outputs_[index]; }
size_t MicroInterpreter::inputs_size() const { return ins.size(); }
size_t MicroInterpreter::outputs_size() const { return outs.size(); }
size_t MicroInterpreter::arena_used_bytes() const { return arena_size_; }

}  // namespace tflite
