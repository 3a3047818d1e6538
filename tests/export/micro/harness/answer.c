/* Outputs of the model on standard input to answers on standard output: fine (a byte), label (int32), values. */
#include <stdio.h>

#include "zoo_pre.h"

int main(void) {
  zoo_raw_output_t raw[ZOO_OUTPUTS];
  float outputs[ZOO_OUTPUTS];
  zoo_output_t answer;
  while (fread(raw, sizeof(zoo_raw_output_t), ZOO_OUTPUTS, stdin) == ZOO_OUTPUTS) {
    unsigned char fine;
    int32_t label;
    int at;
    for (at = 0; at < ZOO_OUTPUTS; ++at) {
#if ZOO_OUTPUT_QUANTIZED
      outputs[at] = zoo_dequantise(raw[at], ZOO_OUTPUT_SCALE, ZOO_OUTPUT_ZERO_POINT);
#else
      outputs[at] = raw[at];
#endif
      answer.values[at] = 0.0f;
    }
    fine = (unsigned char)zoo_answer(outputs, &answer);
    label = answer.label;
    fwrite(&fine, 1, 1, stdout);
    fwrite(&label, sizeof(label), 1, stdout);
    fwrite(answer.values, sizeof(float), ZOO_OUTPUTS, stdout);
  }
  return 0;
}
