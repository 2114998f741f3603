// SPDX-License-Identifier: Apache-2.0
// The files HAProxy reads: its configuration, the fence's script, the page customers see while
// nobody serves them. All paths are relative to the proxy's folder, where it is started: a Unix
// socket's path must be short.
#pragma once

#include "traffic/haproxy_record.hpp"

namespace belay::traffic {

// Changes when, and only when, a reload is needed; the proxy shows it as its description.
std::string revision_of(const Record& record);
std::string configuration_of(const Record& record);
std::string_view fence_script();
std::string unavailable_page();
// Starts it in the foreground, as its supervisor wants it.
std::string run_script(const Path& folder, const Path& program);

}  // namespace belay::traffic
