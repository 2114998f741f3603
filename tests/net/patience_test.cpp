// SPDX-License-Identifier: Apache-2.0
#include "net/patience.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "net/date.hpp"
#include "tests/support/fake_world.hpp"

namespace belay::net {
namespace {

struct Scripted final : Client {
  std::deque<Result<Response>> answers;
  std::vector<std::string> asked;
  Result<Response> send(const Request& request, std::stop_token) override {
    asked.push_back(request.url);
    auto answer = answers.front();
    if (answers.size() > 1) answers.pop_front();
    return answer;
  }
};

Response with(int status, Headers headers = {}) {
  return {status, "", std::move(headers)};
}

struct Waiting : ::testing::Test {
  FakeClock clock;
  SeededRandom random;
  Scripted client;
  Patience patience;
  std::stop_source stop;
  int made = 0;

  Result<Sent> send() {
    return send_patiently(
        client,
        [this]() -> Result<Request> {
          Request request;
          request.url = "http://a/" + std::to_string(++made);
          return request;
        },
        patience, clock, random, stop.get_token());
  }
};

TEST_F(Waiting, AGoodAnswerIsAskedForOnce) {
  client.answers = {with(200)};
  const auto sent = send();
  ASSERT_TRUE(sent.ok());
  EXPECT_EQ(sent->attempts, 1);
  EXPECT_FALSE(sent->perhaps_before);
  EXPECT_EQ(clock.slept(), Millis(0));
}

TEST_F(Waiting, WhatPassesIsRepeatedWithARequestMadeAnew) {
  client.answers = {with(503), with(429), fail(Fault::unreachable, "gone"), with(200)};
  const auto sent = send();
  ASSERT_TRUE(sent.ok());
  EXPECT_EQ(sent->response.status, 200);
  EXPECT_EQ(sent->attempts, 4);
  EXPECT_EQ(client.asked,
            (std::vector<std::string>{"http://a/1", "http://a/2", "http://a/3", "http://a/4"}));
}

TEST_F(Waiting, WhatDoesNotPassIsNotRepeated) {
  for (const int status : {200, 301, 400, 401, 403, 404, 409, 412, 501}) {
    client.answers = {with(status)};
    client.asked.clear();
    EXPECT_EQ(send()->response.status, status);
    EXPECT_EQ(client.asked.size(), 1u) << status;
  }
  for (const auto fault : {Fault::refused, Fault::invalid, Fault::cancelled}) {
    client.answers = {fail(fault, "no")};
    client.asked.clear();
    EXPECT_FALSE(send().ok());
    EXPECT_EQ(client.asked.size(), 1u);
  }
}

TEST_F(Waiting, TriesAreCountedAndTheLastAnswerIsTheResult) {
  client.answers = {with(503)};
  const auto sent = send();
  ASSERT_TRUE(sent.ok());
  EXPECT_EQ(sent->response.status, 503);
  EXPECT_EQ(client.asked.size(), static_cast<std::size_t>(patience.attempts));
}

TEST_F(Waiting, AnEffectThatOneTryMayHaveHadIsNotForgotten) {
  client.answers = {unknown_effect(Fault::timeout, "late"), fail(Fault::unreachable, "gone")};
  const auto failed = send();
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().effect, Effect::unknown);
  client.answers = {unknown_effect(Fault::timeout, "late"), with(412)};
  EXPECT_TRUE(send()->perhaps_before);
  client.answers = {with(502), with(412)};
  EXPECT_TRUE(send()->perhaps_before);
  client.answers = {with(429), fail(Fault::unreachable, "no way"), with(412)};
  EXPECT_FALSE(send()->perhaps_before);
}

TEST_F(Waiting, AServerThatAsksForTimeGetsIt) {
  client.answers = {with(429, {{"retry-after", "30"}}), with(200)};
  ASSERT_TRUE(send().ok());
  EXPECT_GE(clock.slept(), std::chrono::seconds(30));
  const auto until = clock.now() + std::chrono::seconds(45);
  client.answers = {with(503, {{"retry-after", http_date(until)}}), with(200)};
  ASSERT_TRUE(send().ok());
  EXPECT_GE(clock.now(), until);
}

TEST_F(Waiting, AServerThatAsksForTooMuchTimeIsNotWaitedFor) {
  client.answers = {with(429, {{"retry-after", "99999999999999999999"}}), with(200)};
  EXPECT_EQ(send()->response.status, 429);
  EXPECT_EQ(clock.slept(), Millis(0));
}

TEST_F(Waiting, AStopEndsTheWait) {
  client.answers = {with(503), with(200)};
  stop.request_stop();
  EXPECT_EQ(send()->response.status, 503);
}

TEST(WaitAfter, DoublesUpToItsLongestAndIsNeverTheSameForAll) {
  SeededRandom random;
  const Patience patience;
  for (int attempt = 1; attempt < 200; ++attempt) {
    const auto due = attempt > 6 ? patience.longest : patience.first * (1 << (attempt - 1));
    const auto wait = wait_after(attempt, {}, patience, random);
    EXPECT_LE(wait, due) << attempt;
    EXPECT_GE(wait, due / 2) << attempt;
  }
  EXPECT_NE(wait_after(5, {}, patience, random), wait_after(5, {}, patience, random));
}

TEST(AskedToWait, WhatIsNeitherSecondsNorADateIsNoWish) {
  EXPECT_FALSE(asked_to_wait(with(429), {}).has_value());
  EXPECT_FALSE(asked_to_wait(with(429, {{"retry-after", "soon"}}), {}).has_value());
  EXPECT_EQ(asked_to_wait(with(429, {{"retry-after", "0"}}), {}), Millis(0));
}

}  // namespace
}  // namespace belay::net
