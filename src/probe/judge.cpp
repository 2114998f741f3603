// SPDX-License-Identifier: Apache-2.0
#include "probe/judge.hpp"

#include "base/lower_case.hpp"
#include "base/text.hpp"

namespace belay::probe {

using net::Reply;

namespace {

// Short and printable: an answer's text goes to terminals and reports.
std::string shown(const Json& value) {
  if (value.is_object()) return "an object";  // not dumped: it may be a million levels deep
  if (value.is_array()) return "a list";
  auto text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > 80) text = text.substr(0, 77) + "...";
  return text;
}

const Json* element(const Json& list, const std::string& index) {
  const bool number =
      !index.empty() && index.size() < 8 &&
      std::all_of(index.begin(), index.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!number) return nullptr;
  const auto at = static_cast<std::size_t>(std::stoul(index));
  return at < list.size() ? &list[at] : nullptr;
}

// "a.b.0"; a member whose name has the dots in it wins.
const Json* member(const Json& value, const std::string& path) {
  const Json* here = &value;
  std::string rest = path;
  while (true) {
    if (here->is_object()) {
      if (const auto whole = here->find(rest); whole != here->end()) return &*whole;
    }
    const auto dot = rest.find('.');
    const auto name = rest.substr(0, dot);
    if (here->is_array()) {
      here = element(*here, name);
    } else if (here->is_object() && here->contains(name)) {
      here = &(*here)[name];
    } else {
      return nullptr;
    }
    if (here == nullptr || dot == std::string::npos) return here;
    rest.erase(0, dot + 1);
  }
}

std::string status_disagreement(const Reply& reply, int expected) {
  if (expected == 0 && reply.status >= 200 && reply.status < 300) return "";
  if (expected != 0 && reply.status == expected) return "";
  auto text = expected == 0 ? fmt::format("expected a status of 200 to 299, got {}", reply.status)
                            : fmt::format("expected status {}, got {}", expected, reply.status);
  if (reply.status >= 300 && reply.status < 400) text += " (redirects are not followed)";
  return text;
}

std::string json_disagreement(const Reply& reply, const Json& expected) {
  if (expected.empty()) return "";
  if (!expected.is_object()) return "the expected JSON is not a set of members";
  const auto body = parse_json(reply.body);
  if (!body.ok()) return "expected JSON, got a body that is not";
  for (const auto& [path, wanted] : expected.items()) {
    const Json* found = member(*body, path);
    if (found == nullptr) {
      return fmt::format("expected json {} = {}, but it is not there", path, shown(wanted));
    }
    if (*found != wanted) {
      return fmt::format("expected json {} = {}, got {}", path, shown(wanted), shown(*found));
    }
  }
  return "";
}

std::string header_disagreement(const Reply& reply, const std::map<std::string, std::string>& all) {
  for (const auto& [wanted, value] : all) {
    const auto name = lower_case(wanted);
    const std::string* got = nullptr;
    bool same = false;
    for (const auto& [key, text] : reply.headers) {
      if (key != name) continue;
      got = &text;
      same = same || text == value;
    }
    if (same) continue;
    if (got == nullptr) return fmt::format("expected the header {}, but it is not there", wanted);
    return fmt::format("expected the header {} = {}, got {}", wanted, shown(value), shown(*got));
  }
  return "";
}

}  // namespace

std::string disagreement(const Reply& reply, const Expectation& expected) {
  if (auto text = status_disagreement(reply, expected.status); !text.empty()) return text;
  if (auto text = json_disagreement(reply, expected.json); !text.empty()) return text;
  if (!expected.body.empty() && reply.body.find(expected.body) == std::string::npos) {
    return fmt::format("expected {} in the body, but it is not there", shown(expected.body));
  }
  if (auto text = header_disagreement(reply, expected.headers); !text.empty()) return text;
  const auto limit = expected.under;
  if (limit && reply.phases.total * 1000 >= static_cast<double>(limit->count())) {
    return fmt::format("expected an answer under {}, it took {:.0f} ms", to_text(*limit),
                       reply.phases.total * 1000);
  }
  return "";
}

}  // namespace belay::probe
