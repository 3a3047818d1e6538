/* Raw samples on standard input to what the model is fed on standard output: a byte that says whether it is fine, then
 * the features. Then the window is fed with them; with an argument, whole windows are written instead. */
#include <stdio.h>

#include "zoo_pre.h"

int main(int count, char** arguments) {
  zoo_sample_t sample[ZOO_SAMPLE_SIZE];
  zoo_input_t features[ZOO_FEATURES];
  static zoo_input_t input[ZOO_INPUT_VALUES];
  static zoo_window_t window;
  (void)arguments;
  zoo_window_reset(&window);
  while (fread(sample, sizeof(zoo_sample_t), ZOO_SAMPLE_SIZE, stdin) == ZOO_SAMPLE_SIZE) {
    const unsigned char fine = (unsigned char)zoo_prepare(sample, features);
    if (count > 1) {
      if (fine && zoo_window_push(&window, features)) {
        zoo_window_copy(&window, input);
        fwrite(input, sizeof(zoo_input_t), ZOO_INPUT_VALUES, stdout);
      }
      continue;
    }
    fwrite(&fine, 1, 1, stdout);
    fwrite(features, sizeof(zoo_input_t), ZOO_FEATURES, stdout);
  }
  return 0;
}
