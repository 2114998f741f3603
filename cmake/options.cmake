# One dialect, one set of warnings, for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

option(BELAY_WERROR "Warnings are errors" OFF)
option(BELAY_BENCH "Build the benchmarks" OFF)
set(BELAY_SANITIZE "" CACHE STRING "address,undefined or thread")

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
  -Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual -Wsuggest-override -Wswitch-enum
  -Wunused-result)
add_compile_definitions(_GLIBCXX_ASSERTIONS)
if(BELAY_WERROR)
  add_compile_options(-Werror)
endif()
if(BELAY_SANITIZE)
  add_compile_options(-fsanitize=${BELAY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${BELAY_SANITIZE})
endif()
