// SPDX-License-Identifier: Apache-2.0
#include "base/ssh_signature.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <vector>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/process.hpp"
#include "base/text.hpp"

namespace belay::ssh {
namespace {

constexpr std::size_t longest_key = std::size_t{16} * 1024;
constexpr std::size_t longest_signature = std::size_t{64} * 1024;
constexpr std::size_t longest_namespace = 128;
constexpr std::size_t smallest_rsa_bits = 2048;
constexpr std::string_view armor_begin = "-----BEGIN SSH SIGNATURE-----";
constexpr std::string_view armor_end = "-----END SSH SIGNATURE-----";
constexpr const char* identity = "signer";

constexpr std::array<std::string_view, 7> known_types = {"ssh-ed25519",
                                                         "ecdsa-sha2-nistp256",
                                                         "ecdsa-sha2-nistp384",
                                                         "ecdsa-sha2-nistp521",
                                                         "ssh-rsa",
                                                         "sk-ssh-ed25519@openssh.com",
                                                         "sk-ecdsa-sha2-nistp256@openssh.com"};

// Reads SSH's wire format: a field is its length in four bytes, then the bytes.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::optional<std::uint32_t> number() {
    if (rest_.size() < 4) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(rest_[i]);
    rest_.remove_prefix(4);
    return value;
  }
  std::optional<std::string_view> field() {
    const auto size = number();
    if (!size || *size > rest_.size()) return std::nullopt;
    const auto bytes = rest_.substr(0, *size);
    rest_.remove_prefix(*size);
    return bytes;
  }
  bool skip(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

Error bad_key(const std::string& why) {
  return fail(Fault::invalid, "not an SSH public key that Belay takes: " + why +
                                  "; give the one line of the .pub file");
}

Error bad_signature(const std::string& why) {
  return fail(Fault::corrupt, "not an SSH signature: " + why +
                                  "; give the whole file that ssh-keygen -Y sign wrote");
}

std::size_t bits(std::string_view integer) {
  while (!integer.empty() && integer.front() == '\0') integer.remove_prefix(1);
  if (integer.empty()) return 0;
  std::size_t count = integer.size() * 8;
  for (auto first = static_cast<unsigned char>(integer.front()); (first & 0x80U) == 0;
       first = static_cast<unsigned char>(first << 1)) {
    --count;
  }
  return count;
}

// The number of fields after the type; each kind of key has its own.
std::size_t field_count(std::string_view type) {
  if (type == "ssh-ed25519") return 1;
  if (type.starts_with("sk-ecdsa-")) return 3;
  return 2;
}

// Checks a key's blob and gives its type.
Result<std::string> type_of(std::string_view blob) {
  Reader reader(blob);
  const auto type = reader.field();
  if (!type) return bad_key("it is cut off");
  if (std::find(known_types.begin(), known_types.end(), *type) == known_types.end()) {
    return bad_key("its kind is not one of " +
                   join({known_types.begin(), known_types.end()}, ", "));
  }
  std::string_view last;
  for (std::size_t i = 0; i < field_count(*type); ++i) {
    const auto field = reader.field();
    if (!field || field->empty()) return bad_key("it is cut off");
    last = *field;
  }
  if (!reader.at_end()) return bad_key("there is more after its end");
  if (*type == "ssh-rsa" && bits(last) < smallest_rsa_bits) {
    return bad_key(fmt::format("an RSA key needs at least {} bits, this one has {}",
                               smallest_rsa_bits, bits(last)));
  }
  if (type->ends_with("ssh-ed25519") && last.size() != 32) return bad_key("its length is wrong");
  return std::string(*type);
}

struct PublicKey {
  std::string type, blob;
  std::string line() const { return type + " " + base64(blob); }
};

Result<PublicKey> parse_key(const std::string& line) {
  if (line.size() > longest_key) return bad_key("it is too long");
  const std::string text(trim(line));
  if (text.find_first_of(std::string("\n\r\0", 3)) != std::string::npos) {
    return bad_key("it has more than one line");
  }
  const auto words = split(text, ' ');
  if (words.size() < 2) return bad_key("it has no \"type base64\"");
  // Options (cert-authority, namespaces=...) would stand before the type.
  if (std::find(known_types.begin(), known_types.end(), words[0]) == known_types.end()) {
    return bad_key("it has to begin with one of " +
                   join({known_types.begin(), known_types.end()}, ", "));
  }
  auto blob = from_base64(words[1]);
  if (!blob.ok()) return bad_key("its second word is not base64");
  TRY_LET(auto type, type_of(*blob));
  if (type != words[0]) return bad_key("it says " + words[0] + " and holds " + type);
  return PublicKey{type, std::move(blob).value()};
}

Status check_namespace(const std::string& name) {
  const bool fine = !name.empty() && name.size() <= longest_namespace && name.front() != '-' &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '@' ||
                             c == '_' || c == '/';
                    });
  if (fine) return {};
  return fail(Fault::invalid, "a signature's namespace needs letters, digits and - . @ _ / only");
}

struct Sshsig {
  PublicKey key;
  std::string name_space;
};

Result<std::string> without_armor(const std::string& text) {
  if (text.size() > longest_signature) return bad_signature("it is too long");
  const auto body = trim(text);
  if (!body.starts_with(armor_begin)) {
    return bad_signature("it does not begin with " + std::string(armor_begin));
  }
  if (!body.ends_with(armor_end)) {
    return bad_signature("it does not end with " + std::string(armor_end));
  }
  if (body.size() < armor_begin.size() + armor_end.size()) return bad_signature("it is cut off");
  std::string encoded;
  for (const char c :
       body.substr(armor_begin.size(), body.size() - armor_begin.size() - armor_end.size())) {
    if (c != '\n' && c != '\r') encoded += c;
  }
  auto bytes = from_base64(encoded);
  if (!bytes.ok()) return bad_signature("its text is not base64");
  return bytes;
}

// PROTOCOL.sshsig: magic, version, public key, namespace, reserved, hash, signature.
Result<Sshsig> parse_signature(const std::string& text) {
  TRY_LET(auto bytes, without_armor(text));
  Reader reader(bytes);
  if (!reader.skip("SSHSIG")) return bad_signature("it has another kind of content");
  const auto version = reader.number();
  if (!version || *version != 1) return bad_signature("its version is not 1");
  const auto key = reader.field();
  const auto name_space = reader.field();
  const auto reserved = reader.field();
  const auto hash = reader.field();
  const auto signature = reader.field();
  if (!key || !name_space || !reserved || !hash || !signature || !reader.at_end()) {
    return bad_signature("it is cut off or has more after its end");
  }
  TRY_LET(auto type, type_of(*key));
  return Sshsig{{type, std::string(*key)}, std::string(*name_space)};
}

Status need_ssh_keygen() {
  if (find_program("ssh-keygen")) return {};
  return fail(Fault::missing, "ssh-keygen is not installed: apt install openssh-client");
}

// In our own process group and on our own streams, so that ssh-keygen can ask on the terminal.
Result<int> run_on_terminal(std::vector<std::string> argv) {
  std::vector<char*> words;
  for (auto& word : argv) words.push_back(word.data());
  words.push_back(nullptr);
  pid_t pid = -1;
  const int code = posix_spawnp(&pid, words.front(), nullptr, nullptr, words.data(), environ);
  if (code != 0) return errno_error(code, "cannot start ssh-keygen");
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return errno_error(errno, "cannot wait for ssh-keygen");
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool has_terminal() {
  const Fd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  return static_cast<bool>(terminal) && ::isatty(STDERR_FILENO) == 1;
}

Status run_sign(const std::vector<std::string>& argv, const Path& key) {
  const auto what = "cannot sign with " + key.string();
  if (has_terminal()) {
    TRY_LET(const int status, run_on_terminal(argv));
    if (status == 0) return {};
    return fail(Fault::refused, what + ": ssh-keygen said why above");
  }
  Command command;
  command.argv = argv;
  command.limit = std::chrono::minutes(1);
  TRY_LET(auto finished, run(command));
  if (finished.ok()) return {};
  std::string why(trim(finished.err));
  if (why.size() > 400) why = why.substr(why.size() - 400);
  return fail(Fault::refused,
              what + ": " + why + "; a key with a passphrase needs a terminal or ssh-agent");
}

}  // namespace

Result<std::string> sign(const Path& key, const std::string& name_space, std::string_view bytes) {
  TRY(check_namespace(name_space));
  TRY(need_ssh_keygen());
  std::error_code code;
  const auto absolute = std::filesystem::absolute(key, code);
  if (key.empty() || !std::filesystem::is_regular_file(absolute, code)) {
    return fail(Fault::missing, fmt::format("no key file {}", key.string()));
  }
  TRY_LET(auto scratch, ScratchFolder::make("belay-sign"));
  const auto message = scratch.path() / "message";
  TRY(write_file(message, bytes));
  TRY(run_sign({"ssh-keygen", "-q", "-Y", "sign", "-f", absolute.string(), "-n", name_space,
                message.string()},
               key));
  TRY_LET(auto signature, read_file(scratch.path() / "message.sig", longest_signature));
  TRY_LET(auto parsed, parse_signature(signature));  // a weak key is refused here, not later
  (void)parsed;
  return signature;
}

Result<bool> verify(const std::string& public_key, const std::string& name_space,
                    std::string_view bytes, const std::string& signature) {
  TRY(check_namespace(name_space));
  TRY_LET(auto key, parse_key(public_key));
  TRY_LET(auto parsed, parse_signature(signature));
  if (parsed.key.blob != key.blob || parsed.name_space != name_space) return false;
  TRY(need_ssh_keygen());
  TRY_LET(auto scratch, ScratchFolder::make("belay-verify"));
  const auto allowed = scratch.path() / "allowed_signers";
  const auto file = scratch.path() / "signature";
  TRY(write_file(allowed, fmt::format("{} {}\n", identity, key.line())));
  TRY(write_file(file, signature));
  Command command;
  command.argv = {"ssh-keygen", "-Y", "verify",   "-f", allowed.string(), "-I",
                  identity,     "-n", name_space, "-s", file.string()};
  command.input = std::string(bytes);
  command.inherit_env = false;
  command.limit = std::chrono::minutes(1);
  TRY_LET(auto finished, run(command));
  if (finished.ok()) return true;
  if (finished.status == 255) return false;
  return fail(Fault::internal,
              fmt::format("ssh-keygen could not check the signature (status {}): {}",
                          finished.status, trim(finished.err)));
}

Result<std::string> fingerprint(const std::string& public_key) {
  TRY_LET(auto key, parse_key(public_key));
  const auto digest = sha256(key.blob);
  auto text = base64(std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
  while (text.ends_with('=')) text.pop_back();
  return "SHA256:" + text;
}

Result<std::string> public_key_in(const std::string& signature) {
  TRY_LET(auto parsed, parse_signature(signature));
  return parsed.key.line();
}

}  // namespace belay::ssh
