# Keeps what Troupe does not use out of the build of llama.cpp, three fifths of it. The Makefile has
# llama-cpp-python's CMake project read this, as CMAKE_PROJECT_llama_cpp_INCLUDE.

set(LLAVA_BUILD OFF)         # pictures and sound: libmtmd
set(LLAMA_BUILD_COMMON OFF)  # what llama.cpp's own programs share: chat templates, a web client

# Intel's matrix units: llama.cpp sets them up in memory that GCC takes for unread and leaves unwritten, and
# the first long prompt ends the process.
include(CheckCXXCompilerFlag)
check_cxx_compiler_flag(-mno-amx-int8 LLAMA_KNOWS_AMX)
if(LLAMA_KNOWS_AMX)
  string(APPEND CMAKE_C_FLAGS " -mno-amx-tile -mno-amx-int8 -mno-amx-bf16")
  string(APPEND CMAKE_CXX_FLAGS " -mno-amx-tile -mno-amx-int8 -mno-amx-bf16")
endif()
