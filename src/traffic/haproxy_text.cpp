// SPDX-License-Identifier: Apache-2.0
#include "traffic/haproxy_text.hpp"

#include <pwd.h>
#include <unistd.h>

#include "base/hash.hpp"
#include "base/lower_case.hpp"
#include "base/text.hpp"

namespace belay::traffic {

namespace {

// Why each line that is not obvious is there:
//   http-server-close   a server's idle connection may be closed by the server at the very moment
//                       it is used again; a fresh one for each request cannot
//   idle-close-on-response  a reload does not close a client's idle connection under its next
//   request retry-on, redispatch    a request that may have reached a server is never sent again
//   timeout client      longer than the longest hold of a request whose body is still coming
constexpr std::string_view defaults = R"(
defaults
  mode http
  log global
  option httplog
  option dontlognull
  option dontlog-normal
  option http-server-close
  option idle-close-on-response
  option forwardfor
  no option redispatch
  retries 3
  retry-on conn-failure
  timeout connect 5s
  timeout client 90s
  timeout server 300s
  timeout queue 30s
  timeout http-request 30s
  timeout http-keep-alive 60s
  timeout tunnel 1h
  errorfile 503 503.http
)";

constexpr std::string_view script =
    R"lua(-- Written by belay. A request waits here while its service stands in fence.map, at most as many
-- milliseconds as stand beside it; then it is answered with 503.
local fence = Map.new("fence.map", Map._str)
local seen = {}
local serial = 0

local function seconds(now) return now.sec + now.usec / 1000000 end

core.register_action("hold", {"http-req"}, function(txn, service)
  serial = serial + 1
  local me = serial
  local start = seconds(core.now())
  while true do
    local longest = fence:lookup(service)
    if longest == nil then break end
    local now = seconds(core.now())
    if (now - start) * 1000 >= tonumber(longest) then
      txn:set_var("txn.fence", "closed")
      break
    end
    seen[me] = {service, now}
    core.msleep(20)
  end
  seen[me] = nil
end, 1)

-- A client that went away leaves its entry: only what was seen just now is waiting.
core.register_cli({"belay", "waiting"}, "belay waiting: requests held at the fence", function(applet)
  local now, count, text = seconds(core.now()), {}, ""
  for me, one in pairs(seen) do
    if now - one[2] > 1 then seen[me] = nil else count[one[1]] = (count[one[1]] or 0) + 1 end
  end
  for service, n in pairs(count) do text = text .. service .. " " .. n .. "\n" end
  applet:send(text .. "\n")
end)
)lua";

std::string global_of(const std::string& revision) {
  std::string text = fmt::format(
      "global\n"
      "  description {}\n"
      "  maxconn \"${{BELAY_MAXCONN}}\"\n"
      "  stats socket unix@admin.sock mode 600 level admin\n"
      "  log stdout format raw local0 notice\n"
      "  lua-load fence.lua\n"
      "  hard-stop-after 10m\n",
      revision);
  // Root is needed to listen below 1024, not to serve.
  if (::geteuid() == 0 && ::getpwnam("haproxy") != nullptr) {
    text += "  user haproxy\n  group haproxy\n";
  }
  return text;
}

// One frontend an address; services that share it are told apart by the Host field.
std::string frontend_of(const std::string& name, const std::vector<const Route*>& routes) {
  std::string text = fmt::format("\nfrontend {}\n  bind {}", name, routes.front()->listen);
  std::string certificates;
  for (const Route* route : routes) {
    if (!route->certificate.empty()) certificates += " crt " + route->certificate;
  }
  if (!certificates.empty()) {
    text += " ssl" + certificates + " alpn h2,http/1.1 ssl-min-ver TLSv1.2\n";
    text += "  http-request set-header X-Forwarded-Proto https";
  }
  text += "\n";
  if (routes.size() == 1) return text + "  default_backend be_" + routes.front()->service + "\n";
  for (const Route* route : routes) {
    for (const auto& domain : route->domains) {
      const bool any = domain.starts_with("*.");
      text += fmt::format("  acl is_{} req.hdr(host),field(1,:),lower {} {}\n", route->service,
                          any ? "-m end" : "-m str", lower_case(any ? domain.substr(1) : domain));
    }
    text += fmt::format("  use_backend be_{0} if is_{0}\n", route->service);
  }
  return text + "  http-request return status 404 if !" + [&] {
    std::string all;
    for (const Route* route : routes) {
      all += (all.empty() ? "is_" : " !is_") + route->service;
    }
    return all;
  }() + "\n";
}

std::string backend_of(const Route& route, const Lane& lane) {
  std::string text = fmt::format(
      "\nbackend be_{0}\n"
      "  http-request lua.hold {0} if {{ str({0}),map_str(fence.map) -m found }}\n"
      "  http-request return status 503 default-errorfiles if {{ var(txn.fence) -m str closed }}\n",
      route.service);
  for (int slot = 0; slot < slot_count; ++slot) {
    const auto found = lane.slots.find(slot);
    const int port = found == lane.slots.end() ? 1 : found->second.port;
    text += fmt::format("  server {} 127.0.0.1:{}{}\n", slot_name(slot), port,
                        slot == lane.active ? "" : " disabled");
  }
  return text;
}

std::string body_of(const Record& record) {
  std::map<std::string, std::vector<const Route*>> by_address;
  for (const auto& route : record.routes) by_address[route.listen].push_back(&route);
  std::string text(defaults);
  int number = 0;
  for (const auto& [listen, routes] : by_address) {
    text += frontend_of("fe_" + std::to_string(number++), routes);
  }
  for (const auto& route : record.routes) {
    const auto lane = record.lanes.find(route.service);
    text += backend_of(route, lane == record.lanes.end() ? Lane{} : lane->second);
  }
  return text;
}

}  // namespace

std::string revision_of(const Record& record) {
  Record routes_only;
  routes_only.routes = record.routes;
  return "belay-" + sha256_hex(to_comment(routes_only) + global_of("") + body_of(routes_only) +
                               std::string(script))
                        .substr(0, 16);
}

std::string configuration_of(const Record& record) {
  return "# Written by belay, and written again at every switch: what is changed here is lost.\n" +
         to_comment(record) + global_of(revision_of(record)) + body_of(record);
}

std::string_view fence_script() {
  return script;
}

std::string unavailable_page() {
  const std::string page =
      "<!doctype html><meta charset=utf-8><title>Back in a moment</title>"
      "<body style=\"font:18px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:30em;"
      "padding:0 1em\"><h1>Back in a moment</h1>"
      "<p>This service is being looked after. Please try again shortly.</p>\n";
  return fmt::format(
      "HTTP/1.1 503 Service Unavailable\r\ncontent-length: {}\r\ncache-control: no-store\r\n"
      "content-type: text/html; charset=utf-8\r\nretry-after: 5\r\n\r\n{}",
      page.size(), page);
}

// HAProxy refuses to start when its connections need more descriptors than the limit, and a
// machine's limit after a boot is not the one of the session that installed it.
std::string run_script(const Path& folder, const Path& program) {
  return fmt::format(
      "cd {} || exit 111\n"
      "limit=$(ulimit -Hn)\n"
      "[ \"$limit\" != unlimited ] || limit=65536\n"
      "n=$(((limit - 128) / 3))\n"
      "[ $n -le 20000 ] || n=20000\n"
      "[ $n -ge 16 ] || n=16\n"
      "BELAY_MAXCONN=$n\n"
      "export BELAY_MAXCONN\n"
      "exec chpst -P {} -W -db -f haproxy.cfg\n",
      shell_quoted(folder.string()), shell_quoted(program.string()));
}

}  // namespace belay::traffic
