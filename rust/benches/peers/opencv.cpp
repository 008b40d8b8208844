// OpenCV's C++ library, as the bench's child: one frame for each line on stdin, its time on stdout.
// Build: c++ -O3 -march=native opencv.cpp -o opencv $(pkg-config --cflags --libs opencv4)
// Arguments: as of opencv.py
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

int main(int argc, char **argv) {
  if (argc != 10) return 2;
  const std::string kind = argv[1], fit = argv[6], element = argv[7];
  const int width = std::stoi(argv[2]), height = std::stoi(argv[3]);
  const cv::Size target(std::stoi(argv[4]), std::stoi(argv[5]));
  cv::setNumThreads(1);
  std::ifstream file(argv[8], std::ios::binary);
  std::vector<char> raw{std::istreambuf_iterator<char>(file), {}};
  const bool packed = kind == "YUYV";
  const cv::Mat frame(packed ? height : height * 3 / 2, width, packed ? CV_8UC2 : CV_8UC1, raw.data());
  const int code = packed ? cv::COLOR_YUV2RGB_YUY2 : cv::COLOR_YUV2RGB_NV12;
  const double scale = std::min(double(target.width) / width, double(target.height) / height);
  const cv::Size inner = fit == "letterbox" ? cv::Size(cvRound(width * scale), cvRound(height * scale)) : target;
  const int left = (target.width - inner.width) / 2, top = (target.height - inner.height) / 2;
  cv::Mat picture, resized, tensor; // kept from frame to frame, so nothing is allocated again
  auto run = [&] {
    cv::cvtColor(frame, picture, code);
    cv::resize(picture, resized, inner, 0, 0, cv::INTER_LINEAR);
    cv::Mat *last = &resized;
    if (inner != target) {
      cv::copyMakeBorder(resized, tensor, top, target.height - inner.height - top, left,
                         target.width - inner.width - left, cv::BORDER_CONSTANT, cv::Scalar(114, 114, 114));
      last = &tensor;
    }
    if (element == "i8") cv::bitwise_xor(*last, cv::Scalar(128, 128, 128), *last);
    return last;
  };
  const cv::Mat *first = run();
  std::ofstream(argv[9], std::ios::binary).write(reinterpret_cast<const char *>(first->data), first->total() * 3);
  std::cout << CV_VERSION << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const auto start = std::chrono::steady_clock::now();
    run();
    const auto time = std::chrono::steady_clock::now() - start;
    std::cout << std::chrono::duration_cast<std::chrono::nanoseconds>(time).count() << std::endl;
  }
}
