// Replays golden samples from raw numbers and compares the answers with those of the toolkit. Returns how many differ.
#include <math.h>
#include <stdio.h>

#include "zoo_golden.h"
#include "zoo_model.h"

namespace {

int differs(const zoo_output_t& answer, const float* expected, const float* tolerance) {
  for (int at = 0; at < ZOO_OUTPUTS; ++at) {
    if (!(fabsf(answer.values[at] - expected[at]) <= tolerance[at])) {
      printf("output %d is %g, expected %g within %g\n", at, static_cast<double>(answer.values[at]),
             static_cast<double>(expected[at]), static_cast<double>(tolerance[at]));
      return 1;
    }
  }
  return 0;
}

// One golden recording; the last ZOO_GOLDEN_ANSWERS of its samples are expected to give an answer.
int replay(int golden) {
  zoo_reset();
  for (int push = 0; push < ZOO_GOLDEN_PUSHES; ++push) {
    const int status = zoo_push(&zoo_golden_samples[golden][push * ZOO_SAMPLE_SIZE]);
    if (status != ZOO_OK) {
      printf("golden %d, sample %d is refused: %d\n", golden, push, status);
      return 1;
    }
    const int answer_at = push - (ZOO_GOLDEN_PUSHES - ZOO_GOLDEN_ANSWERS);
    if (answer_at < 0) continue;
    zoo_output_t answer;
    const int ran = zoo_run(&answer);
    if (ran != ZOO_OK) {
      printf("golden %d gives no answer: %d\n", golden, ran);
      return 1;
    }
    const int place = answer_at * ZOO_OUTPUTS;
    if (differs(answer, &zoo_golden_expected[golden][place], &zoo_golden_tolerance[golden][place])) return 1;
  }
  return 0;
}

}  // namespace

extern "C" int zoo_selftest(void) {
  const int status = zoo_init();
  if (status != ZOO_OK) {
    printf("zoo_init failed: %d\n", status);
    return ZOO_GOLDEN;
  }
  int failed = 0;
  for (int golden = 0; golden < ZOO_GOLDEN; ++golden) failed += replay(golden);
  printf("%d of %d golden samples agree, arena %lu bytes\n", ZOO_GOLDEN - failed, ZOO_GOLDEN,
         static_cast<unsigned long>(zoo_arena_used()));
  return failed;
}

// On these platforms the program has a main of its own: call zoo_selftest() from there.
#if !defined(ZOO_NO_MAIN) && !defined(ARDUINO) && !defined(ESP_PLATFORM) && !defined(__ZEPHYR__)
int main() { return zoo_selftest() == 0 ? 0 : 1; }
#endif
