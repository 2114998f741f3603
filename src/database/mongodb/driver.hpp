// SPDX-License-Identifier: Apache-2.0
#pragma once
namespace belay::database {
class Pool {};
}  // namespace belay::database
