// SPDX-License-Identifier: Apache-2.0
// What platforms call things, where belay.yaml takes it from ${NAME} as it takes the token.
#pragma once

#include "app/secrets.hpp"

namespace belay::app {

// project, team, service, environment and domains of the environment's hosted services, filled in.
// Of an address, https://shop.example.org/, the domain is taken. None of it is hidden: it stands in
// messages and on the environment's page. missing, naming the name.
Status fill_hosted(pipeline::EnvironmentSpec& environment, Secrets& secrets);

}  // namespace belay::app
