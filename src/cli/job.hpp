// SPDX-License-Identifier: Apache-2.0
// In a job of GitHub Actions: what its runner reads. Commands are lines of the output,
// `::error::...`; outputs and the step's summary go into files that the environment names.
// Everything else that Belay prints there is kept from being read as a command, whoever wrote it.
#pragma once

#include <cstdio>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "app/project.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"

namespace belay::cli {

// As the runner wants data and properties of its commands.
std::string command_data(std::string_view text);
std::string command_property(std::string_view text);

// One place of a file, for an annotation.
struct Spot {
  std::string file;
  int line = 0, column = 0;
};

// The text as one that holds no command for the runner, in either of its forms, when it is printed
// after what was given before. The second ':' of a line that begins with "::", and the '[' of
// "##[", are told apart by a space; in JSON the bracket is escaped, so that the value stays as it
// is.
class Harmless {
 public:
  explicit Harmless(bool json = false) : json_(json) {}
  std::string operator()(std::string_view text);

 private:
  bool json_;
  bool shown_ = false;  // the line has more than space and colons by now
  int colons_ = 0, hashes_ = 0;
};

class Job {
 public:
  // Null when this is no job. With `json`, standard output is for programs: commands go to standard
  // error. Until the end of the Job, both are written through Harmless.
  static std::unique_ptr<Job> of(const app::Getenv& env, bool json);
  ~Job();
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  // Hidden by the runner from now on, the whole and each of its lines; what is too short to be
  // hidden without hiding ordinary words is not told. On standard error, which is kept less often
  // than standard output; nowhere when it goes into a file, which the runner does not read.
  void mask(const Secret& secret);
  // A group of lines, folded: `text` is a program's own and is shown as it is.
  void group(const std::string& title, std::string_view text);
  void error(const std::string& text, const std::string& title, const Spot& spot = {});
  // For later steps and jobs: a name of letters, digits, - and _. Any value.
  void output(const std::string& name, const std::string& value);
  // Markdown, behind what the step's summary has; cut where the runner would drop all of it.
  void summary(std::string_view markdown);
  // What was printed on standard error so far, as annotations: the command has failed. Complaints
  // of a file stand at their lines; `folder`, that of belay.yaml, is told as the runner knows it.
  void annotate_errors(const Path& folder);

 private:
  struct Stream;
  Job(const app::Getenv& env, bool json);
  std::FILE* redirect(std::FILE* from, std::unique_ptr<Stream>& stream, int fd, bool json);
  void command(const std::string& lines);
  void command(const std::string& lines, int fd);
  void append(const Path& file, std::string_view text);
  static long take(void* cookie, const char* text, std::size_t size);

  SystemRandom random_;
  Path outputs_, summary_, workspace_;
  std::mutex mutex_;
  int command_fd_;
  std::string said_;              // on standard error
  std::set<std::size_t> masked_;  // hashes of what the runner was told
  std::unique_ptr<Stream> out_, err_;
  std::FILE *stdout_ = nullptr, *stderr_ = nullptr;  // as they were
};

// Text for a cell of a table, or a line, of Markdown: shown as it is written.
std::string markdown_text(std::string_view text);
// A block that is shown as it is written, whatever fences it has itself.
std::string markdown_block(std::string_view text);

}  // namespace belay::cli
