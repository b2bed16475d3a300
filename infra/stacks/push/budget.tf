# Posts to sockets share the account's request rate with the HTTP API: fan-out and recovery get a part of it, and sign-ins
# keep the rest. There is no state that workers share: each posts at its lane's budget divided by the workers there can be.
locals {
  websocket_throttling = var.websocket_throttling != null ? var.websocket_throttling : {
    rate_limit  = floor(var.account_requests_per_second * 40 / 100)
    burst_limit = floor(var.account_requests_per_second * 20 / 100)
  }

  # A client sends a keep-alive about every nine minutes. A tenth of 10 000 requests a second is enough for half a million sockets.
  keep_alive_throttling = {
    rate_limit  = max(1, floor(var.account_requests_per_second * 10 / 100))
    burst_limit = max(1, floor(var.account_requests_per_second * 5 / 100))
  }

  posts_per_second = {
    for lane, percent in var.push_budget_percent : lane => floor(var.account_requests_per_second * percent / 100)
  }
  # Posts in flight in one worker. A record of a direct message has few recipients, and a worker handles ten records at once (AT_ONCE in
  # services/push/src/fanout.rs). Of the chunks of a broadcast it handles two at once, with 32 posts each (AT_ONCE ÷ HEAVY, and IN_FLIGHT).
  posts_in_flight = { direct = 10, broadcast = 64 }
  # As many workers as the budget needs at this latency; SQS takes from 2 to 1000.
  workers_needed = {
    for lane, in_flight in local.posts_in_flight : lane =>
    min(1000, max(2, ceil(local.posts_per_second[lane] * var.post_latency_milliseconds / 1000 / in_flight)))
  }
  workers = {
    direct    = coalesce(var.push_maximum_concurrency, local.workers_needed.direct)
    broadcast = coalesce(var.broadcast_maximum_concurrency, local.workers_needed.broadcast)
  }
  posts_per_worker = { for lane, workers in local.workers : lane => max(1, floor(local.posts_per_second[lane] / workers)) }
}
