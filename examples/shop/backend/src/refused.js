// SPDX-License-Identifier: Apache-2.0
// The customer's mistake, with the status that says so; everything else is ours, and a 500.
export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}
