# Keeps what Troupe does not use out of the build of llama.cpp, three fifths of it. The Makefile has
# llama-cpp-python's CMake project read this, as CMAKE_PROJECT_llama_cpp_INCLUDE.

set(LLAVA_BUILD OFF)         # pictures and sound: libmtmd
set(LLAMA_BUILD_COMMON OFF)  # what llama.cpp's own programs share: chat templates, a web client
