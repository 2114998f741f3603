# belay_room(journal SOURCES sqlite.cpp NEEDS base USES PkgConfig::SQLITE)
# One static library a room. NEEDS are rooms of lower floors; tools/check_layout.py checks the
# includes, the linker checks the rest. All rooms share base's precompiled header.
function(belay_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;NEEDS;USES" ${ARGN})
  add_library(belay_${name} STATIC ${ROOM_SOURCES})
  target_include_directories(belay_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  list(TRANSFORM ROOM_NEEDS PREPEND belay_)
  target_link_libraries(belay_${name} PUBLIC ${ROOM_NEEDS} ${ROOM_USES})
  if(NOT name STREQUAL base)
    target_precompile_headers(belay_${name} REUSE_FROM belay_base)
  endif()
endfunction()

# Rooms may be built in groups of ten sources; tests, which have names in common, never are. They are
# many and each runs once: the compiler's time counts for more than theirs, but for those that
# compute (OPTIMIZED).
function(belay_as_tests_are target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
  if("OPTIMIZED" IN_LIST ARGN)
    target_precompile_headers(${target} REUSE_FROM belay_base)
    return()
  endif()
  target_compile_options(${target} PRIVATE $<$<CONFIG:Debug>:-O0>)
  if(BELAY_SANITIZE MATCHES undefined)    # a third of the compiler's time, for code that is no product
    target_compile_options(${target} PRIVATE -fno-sanitize=undefined)
  endif()
  if(NOT target STREQUAL belay_test_support)
    target_precompile_headers(${target} REUSE_FROM belay_test_support)
  endif()
endfunction()

# belay_test(journal SOURCES chain_test.cpp NEEDS journal [USES ...] [LABELS slow] [OPTIMIZED])
# One test program a room. Test names are claims; ctest shows each. A room of the upper floors is
# tested with the whole program (label program), as are the sweeps (label slow).
function(belay_test name)
  cmake_parse_arguments(TEST "OPTIMIZED" "TIMEOUT" "SOURCES;NEEDS;USES;LABELS" ${ARGN})
  add_executable(${name}_test ${TEST_SOURCES})
  target_include_directories(${name}_test PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
  list(TRANSFORM TEST_NEEDS PREPEND belay_)
  target_link_libraries(${name}_test PRIVATE belay_test_support ${TEST_NEEDS} ${TEST_USES} GTest::gtest_main)
  if(TEST_OPTIMIZED)
    belay_as_tests_are(${name}_test OPTIMIZED)
  else()
    belay_as_tests_are(${name}_test)
  endif()
  set(kind ROOM)
  if("slow" IN_LIST TEST_LABELS OR "program" IN_LIST TEST_LABELS)
    set(kind PROGRAM)
  endif()
  set_property(GLOBAL APPEND PROPERTY BELAY_${kind}_TESTS ${name}_test)
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 120)
  endif()
  gtest_discover_tests(${name}_test TEST_PREFIX ${name}. DISCOVERY_MODE PRE_TEST
    PROPERTIES TIMEOUT ${TEST_TIMEOUT} LABELS "${TEST_LABELS}")
endfunction()
include(GoogleTest)
