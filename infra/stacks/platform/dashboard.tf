# One dashboard for the whole system, and one for each service: names follow from the catalogue, so they need nothing of other
# stacks.
locals {
  catalogue = jsondecode(file(local.catalogue_file))
  shown     = { for key, entry in local.catalogue : key => entry if try(entry.only, var.cache_provider) == var.cache_provider }

  own_metrics = [
    {
      title = "Signing in"
      stack = "auth"
      stat  = "Sum"
      lines = [
        { function = "auth-login", name = "AUTHENTICATED", label = "without a second factor" },
        { function = "auth-mfa-verify", name = "AUTHENTICATED", label = "with a second factor" },
        { function = "auth-login", name = "INVALID_CREDENTIALS", label = "wrong password" },
      ]
    },
    {
      title = "Messages to sockets"
      stack = "push"
      stat  = "Sum"
      lines = concat(
        [{ function = "push-publish", name = "PUSH_ACCEPTED", label = "accepted" }],
        [for name, label in { PUSH_DELIVERED = "delivered", PUSH_RETRIED = "tried again", PUSH_GONE = "socket gone", PUSH_THROTTLED = "throttled", PUSH_UNDELIVERABLE = "undeliverable", PUSH_DEAD_LETTERED = "dead letters" } : { function = "push-fanout", name = name, label = label }],
      )
    },
    {
      title = "Time to a socket, p99 (ms)"
      stack = "push"
      stat  = "p99"
      lines = [{ function = "push-fanout", name = "PUSH_LATENCY", label = "push" }]
    },
  ]
  cache_metrics = [
    {
      title = "Validations"
      stack = "sessions"
      stat  = "Sum"
      lines = [for name, label in { CACHE_HIT = "hit", CACHE_MISS = "miss", CACHE_FALLBACK = "past the cache", CACHE_HEDGED = "hedged" } : { function = "sessions-current", name = name, label = label }]
    },
    {
      title = "Deletes that were not confirmed"
      stack = "sessions"
      stat  = "Sum"
      lines = [for function in ["auth-logout", "auth-refresh", "sessions-revoke", "sessions-revoke-all"] : { function = function, name = "CACHE_DELETE_UNCONFIRMED", label = function }]
    },
  ]
}

# What each service shows of itself; the system's dashboard shows all of it.
locals {
  dead_letters = merge(
    { for name in local.queue_names : "${name}-dlq" => "push" },
    { "relay-dlq" = "events" },
    { for key, entry in local.shown : "${key}-dlq" => entry.stack if can(entry.subscribes) },
    module.context.cache_is_redis ? { "repair-dlq" = "events" } : {},
  )

  api_widgets = [
    {
      title = "HTTP requests"
      stack = "platform"
      stat  = "Sum"
      lines = [for name, label in { Count = "all", "4xx" = "4xx", "5xx" = "5xx" } : { namespace = "AWS/ApiGateway", name = name, dimensions = { ApiId = module.http_api.id }, label = label }]
    },
    {
      title = "HTTP latency, p99 (ms)"
      stack = "platform"
      stat  = "p99"
      lines = [for name, label in { Latency = "whole", IntegrationLatency = "function" } : { namespace = "AWS/ApiGateway", name = name, dimensions = { ApiId = module.http_api.id }, label = label }]
    },
  ]
  own_widgets = [for widget in concat(local.own_metrics, module.context.cache_is_redis ? local.cache_metrics : []) : {
    title = widget.title
    stack = widget.stack
    stat  = widget.stat
    lines = [for line in widget.lines : { namespace = "Holdfast", name = line.name, dimensions = { env = var.env, function = line.function }, label = line.label }]
  }]
  widgets = concat(local.api_widgets, local.own_widgets)

  dashboards = merge(
    { system = { name = module.context.name_prefix, stacks = distinct([for entry in values(local.shown) : entry.stack]) } },
    var.service_dashboards_enabled ? { for stack in distinct([for entry in values(local.shown) : entry.stack]) : stack => { name = "${module.context.name_prefix}-${stack}", stacks = [stack] } } : {},
  )
}

module "dashboard" {
  source   = "../../modules/dashboard"
  for_each = local.dashboards

  create    = !module.context.is_local
  name      = each.value.name
  functions = { for key, entry in local.shown : key => "${module.context.name_prefix}-${key}" if contains(each.value.stacks, entry.stack) }
  queues = {
    for name in distinct(flatten([for entry in values(local.shown) : try(entry.queues, []) if contains(each.value.stacks, entry.stack)])) : name => "${module.context.name_prefix}-${name}"
  }
  dead_letter_queues = { for name, stack in local.dead_letters : name => "${module.context.name_prefix}-${name}" if contains(each.value.stacks, stack) }
  metrics            = [for widget in local.widgets : { title = widget.title, stat = widget.stat, lines = widget.lines } if contains(each.value.stacks, widget.stack)]
}

moved {
  from = module.dashboard
  to   = module.dashboard["system"]
}
