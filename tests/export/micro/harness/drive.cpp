// Calls zoo_model.h as standard input says, a word each, and tells what comes back.
#include <stdio.h>
#include <string.h>

#include "zoo_model.h"

int main() {
  char word[16];
  while (scanf("%15s", word) == 1) {
    if (strcmp(word, "init") == 0) printf("init %d\n", zoo_init());
    if (strcmp(word, "ready") == 0) printf("ready %d\n", zoo_ready());
    if (strcmp(word, "arena") == 0) printf("arena %lu\n", static_cast<unsigned long>(zoo_arena_used()));
    if (strcmp(word, "reset") == 0) zoo_reset();
    if (strcmp(word, "push") == 0) {
      zoo_sample_t sample[ZOO_SAMPLE_SIZE];
      for (int at = 0; at < ZOO_SAMPLE_SIZE; ++at) {
        double value = 0;
        if (scanf("%lf", &value) != 1) return 2;
        sample[at] = static_cast<zoo_sample_t>(value);
      }
      printf("push %d\n", zoo_push(sample));
    }
    if (strcmp(word, "run") == 0) {
      zoo_output_t answer;
      const int status = zoo_run(&answer);
      printf("run %d", status);
      if (status == ZOO_OK) {
        printf(" %d", answer.label);
        for (int at = 0; at < ZOO_OUTPUTS; ++at) printf(" %.9g", static_cast<double>(answer.values[at]));
      }
      printf("\n");
    }
  }
  return 0;
}
