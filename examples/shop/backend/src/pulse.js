// SPDX-License-Identifier: Apache-2.0
// How the last seconds went, for the health report: a server that answers its own check and fails
// its customers is not healthy.
export class Pulse {
  constructor({ seconds = 3, least = 20, limit = 0.05, now = Date.now } = {}) {
    Object.assign(this, { seconds, least, limit, now, counts: [] });
  }

  count(failure) {
    this.counts.push({ at: this.now(), failure });
    this.forget();
  }

  forget() {
    const oldest = this.now() - this.seconds * 1000;
    while (this.counts.length && this.counts[0].at < oldest) this.counts.shift();
  }

  report() {
    this.forget();
    const failures = this.counts.filter((each) => each.failure);
    const bad = this.counts.length >= this.least && failures.length > this.limit * this.counts.length;
    return {
      requests: this.counts.length,
      failed: failures.length,
      ...(bad ? { trouble: failures[failures.length - 1].failure } : {}),
    };
  }
}
