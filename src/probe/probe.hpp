// SPDX-License-Identifier: Apache-2.0
// The room's front door: one sample (sample.hpp), and what many of them mean (health.hpp).
#pragma once

#include "probe/health.hpp"
#include "probe/sample.hpp"
