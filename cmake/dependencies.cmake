# Debian packages only. Each is here once, with the reason it is here.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)                         # JSON: plans, events, reports
find_package(fmt 9 REQUIRED)                                      # text; g++ 12 has no <format>
find_package(OpenSSL 3 REQUIRED)                                  # SHA-256, certificates' facts
pkg_check_modules(MONGOC REQUIRED IMPORTED_TARGET libmongoc-1.0)  # MongoDB's own driver
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)        # the journal
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)          # HTTP, with phase times
pkg_check_modules(PUGIXML REQUIRED IMPORTED_TARGET pugixml)       # the XML of S3 and Azure
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-cpp)         # belay.yaml, with line numbers
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)          # blocks of the vault
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)      # encryption at rest, keyed hashes
find_package(CLI11 2 REQUIRED)                                    # the command line
find_library(DATE_TZ date-tz REQUIRED)                            # freeze windows in time zones
find_package(GTest REQUIRED)                                      # tests
find_library(RAPIDCHECK rapidcheck REQUIRED)                      # property tests
