# The variables that this stack shares with others are in declarations.tf, which `scripts/holdfast declarations` writes from infra/declarations.hcl.
# The variables of this stack alone are in variables.tf.
locals {
  # Values that other stacks publish, by "<stack>/<name>".
  inputs = toset(["platform/activity-table-name", "platform/kms-key-arn", "platform/sessions-stream-arn", "push/close-queue-url", "push/close-queue-arn", "push/push-queue-url", "push/push-queue-arn"])

  # The local cloud ignores the list of failed records in an answer and takes the batch as processed. There, a reader of the stream fails its
  # whole batch instead.
  partial_batch = !module.context.is_local

  # Values that this stack publishes as SSM parameters, below `<ssm_prefix>/events/`.
  outputs = {
    event-bus-name = module.bus.name
    event-bus-arn  = module.bus.arn
    relay-dlq-url  = module.relay_dlq.url
    relay-dlq-arn  = module.relay_dlq.arn
  }
}

module "bus" {
  source = "../../modules/event-bus"

  name                   = module.context.name_prefix
  archive_retention_days = module.context.is_local ? 0 : var.event_archive_days
  kms_key_arn            = module.context.kms_key_arn
  dead_letter_queue_arn  = module.bus_dlq.arn
}

# With a key of its own, EventBridge cannot deliver what it cannot decrypt (a disabled key, a changed policy), and would drop it.
module "bus_dlq" {
  source = "../../modules/sqs-queue"

  create                    = module.context.kms_key_arn != null
  name                      = "${module.context.name_prefix}-bus-dlq"
  message_retention_seconds = 1209600
  dead_letter_queue         = null
  kms_key_arn               = module.context.kms_key_arn
  deny_insecure_transport   = !module.context.is_local

  senders = { EventBridge = { service = "events.amazonaws.com", source_arn = module.bus.arn } }
}

# The records that the relay could not read, and the positions in the stream of batches that failed after all retries.
module "relay_dlq" {
  source = "../../modules/sqs-queue"

  name                      = "${module.context.name_prefix}-relay-dlq"
  message_retention_seconds = 1209600
  dead_letter_queue         = null
  kms_key_arn               = module.context.kms_key_arn
  # The local cloud has no TLS: this policy would lock the queue for everybody.
  deny_insecure_transport = !module.context.is_local
}

# Positions in the stream of batches whose cache deletes failed until the records reached their maximum age (1 h, the default of the module
# service). CACHE_MAX_AGE_SECONDS is at most 1 h, so no function uses a copy from before the change any more.
module "repair_dlq" {
  source = "../../modules/sqs-queue"

  create                    = module.context.cache_is_redis
  name                      = "${module.context.name_prefix}-repair-dlq"
  message_retention_seconds = 1209600
  dead_letter_queue         = null
  kms_key_arn               = module.context.kms_key_arn
  deny_insecure_transport   = !module.context.is_local
}

# The audit trail, and each user's last sign-in and devices, which subscribers write. No sign-in and no check of a session reads this table.
# events-security-alerts reads it to find out whether a device is new.
module "activity" {
  source = "../../modules/dynamodb-table"

  name                           = module.context.input["platform/activity-table-name"]
  hash_key                       = { name = "PK", type = "S" }
  range_key                      = { name = "SK", type = "S" }
  ttl_attribute                  = "ttl"
  provisioned_capacity           = lookup(var.table_capacity, "activity", null)
  deletion_protection_enabled    = var.deletion_protection_enabled
  point_in_time_recovery_enabled = var.point_in_time_recovery_enabled
  kms_key_arn                    = module.context.kms_key_arn
}

# A subscriber is a function with `subscribes` in the catalogue (services/functions.json). Its permissions are in `local.functions` below.
module "subscriber" {
  source   = "../../modules/event-subscriber"
  for_each = local.subscribers

  name                    = "${module.context.name_prefix}-${each.key}"
  description             = local.functions[each.key].description
  event_bus_name          = module.bus.name
  detail_types            = each.value
  deny_insecure_transport = !module.context.is_local
  kms_key_arn             = module.context.kms_key_arn

  target = {
    arn                = module.service.functions[each.key].arn
    function_name      = module.service.functions[each.key].name
    function_qualifier = module.service.functions[each.key].qualifier
  }
}

module "service" {
  source = "../../modules/service"

  stack                    = local.stack
  env                      = var.env
  name_prefix              = module.context.name_prefix
  catalogue_file           = local.catalogue_file
  release_manifest         = var.release_manifest
  artifacts_bucket         = module.context.artifacts_bucket
  upload_artifacts         = module.context.upload_artifacts
  log_level                = var.log_level
  log_retention_days       = var.log_retention_days
  alias_owner              = module.context.alias_owner
  reserved_concurrency     = var.reserved_concurrency
  kms_key_arn              = module.context.kms_key_arn
  permissions_boundary_arn = module.context.permissions_boundary_arn
  private_cache            = module.context.private_cache

  functions = { for key, function in local.functions : key => function if key != "events-cache-repair" || module.context.cache_is_redis }
}

locals {
  subscribers = { for key, entry in jsondecode(file(local.catalogue_file)) : key => entry.subscribes if entry.stack == local.stack && can(entry.subscribes) }

  # Lambda sends an event to the dead-letter queue of its subscriber after the last failed try, with the permission of the function's role. The
  # ARN is built from the queue's name. A reference to module.subscriber would be a cycle, because that module needs the function.
  queue_arns = regex("^arn:[^:]+:sqs:[^:]+:[^:]+:", module.context.input["push/push-queue-arn"])
  to_own_dlq = {
    for key in keys(local.subscribers) : key => {
      actions   = ["sqs:SendMessage"]
      resources = ["${local.queue_arns}${module.context.name_prefix}-${key}-dlq"]
    }
  }

  # At most two functions read the stream (events-relay and events-cache-repair), because AWS throttles a third reader.
  functions = {
    events-relay = {
      description     = "Stream of the sessions table: events to the bus, ended sessions to the queue that closes sockets"
      timeout_seconds = 60
      environment = {
        EVENT_BUS            = module.bus.name
        CLOSE_QUEUE_URL      = module.context.input["push/close-queue-url"]
        RELAY_DLQ_URL        = module.relay_dlq.url
        STREAM_PARTIAL_BATCH = local.partial_batch
      }
      permissions = {
        Bus    = { actions = ["events:PutEvents"], resources = [module.bus.arn] }
        Queues = { actions = ["sqs:SendMessage"], resources = [module.context.input["push/close-queue-arn"], module.relay_dlq.arn] }
      }
      stream_sources = {
        sessions = {
          stream_arn           = module.context.input["platform/sessions-stream-arn"]
          on_failure_queue_arn = module.relay_dlq.arn
          batch_size           = 100
          # Batches of one user's or sign-in's records stay in order: Lambda splits a shard by partition key.
          parallelization_factor = 2
          # Accounts, sessions and devices (U#) and sign-ins (L#). Counters of attempts make no events: a flood of refused sign-ins invokes nothing.
          filter_patterns = [jsonencode({ dynamodb = { Keys = { PK = { S = [{ prefix = "U#" }, { prefix = "L#" }] } } } })]
          # The relay retries for as long as the stream keeps a record (24 h). A record that is given up is a lost event, or a socket that stays open.
          maximum_retry_attempts     = 10000
          maximum_record_age_seconds = 86400
        }
      }
    }

    events-last-login = {
      description = "Subscriber: time and device of each user's last sign-in"
      environment = { ACTIVITY_TABLE = module.activity.name }
      permissions = {
        Activity = { actions = ["dynamodb:UpdateItem"], resources = [module.activity.arn] }
        Failures = local.to_own_dlq["events-last-login"]
      }
    }

    events-audit-trail = {
      description = "Subscriber: every event of every user, append-only"
      environment = { ACTIVITY_TABLE = module.activity.name, AUDIT_RETENTION_DAYS = var.audit_retention_days }
      permissions = {
        Activity = { actions = ["dynamodb:PutItem"], resources = [module.activity.arn] }
        Failures = local.to_own_dlq["events-audit-trail"]
      }
    }

    events-security-alerts = {
      description = "Subscriber: tells a user's devices what the user should know of, through push"
      environment = {
        ACTIVITY_TABLE = module.activity.name
        PUSH_QUEUE_URL = module.context.input["push/push-queue-url"]
      }
      permissions = {
        Activity = { actions = ["dynamodb:GetItem", "dynamodb:UpdateItem"], resources = [module.activity.arn] }
        Push     = { actions = ["sqs:SendMessage"], resources = [module.context.input["push/push-queue-arn"]] }
        Failures = local.to_own_dlq["events-security-alerts"]
      }
    }

    events-cache-repair = {
      description     = "Stream of the sessions table: repeats the cache deletes that a writer may not have had confirmed"
      timeout_seconds = 30
      environment     = merge(module.context.cache_environment, { STREAM_PARTIAL_BATCH = local.partial_batch })
      stream_sources = {
        sessions = {
          stream_arn           = module.context.input["platform/sessions-stream-arn"]
          on_failure_queue_arn = module.repair_dlq.arn
          batch_size           = 100
          # The maximum age of a record ends the retries, not their number, so that an outage of the cache does not end them early.
          maximum_retry_attempts = 10000
          # Only slots of users are cached.
          filter_patterns = [jsonencode({ dynamodb = { Keys = { PK = { S = [{ prefix = "U#" }] }, SK = { S = [{ prefix = "S#" }] } } } })]
        }
      }
    }
  }
}

# The local cloud evaluates no alarms.
module "alarms" {
  source = "../../modules/alarms"

  create      = !module.context.is_local
  name_prefix = "${module.context.name_prefix}-${local.stack}"
  topic_arns  = var.alarm_topic_arns
  functions   = module.service.watch
  runbooks    = module.context.runbooks

  custom = {
    records-unreadable = {
      description = "A reader of the stream found records that it cannot decode, and skipped them."
      metrics = {
        relay  = { namespace = "Holdfast", name = "RelayUnreadable", stat = "Sum", dimensions = { env = var.env, function = "events-relay" } }
        repair = { namespace = "Holdfast", name = "RepairUnreadable", stat = "Sum", dimensions = { env = var.env, function = "events-cache-repair" } }
      }
      expression = "FILL(relay, 0) + FILL(repair, 0)"
      threshold  = 0
      rollback   = true
      # One unreadable record raises the alarm.
      period_seconds      = 60
      evaluation_periods  = 1
      datapoints_to_alarm = 1
    }
  }

  queues = merge(
    { relay = { dlq_name = "${module.context.name_prefix}-relay-dlq" } },
    { for key in keys(local.subscribers) : key => { dlq_name = "${module.context.name_prefix}-${key}-dlq" } },
    module.context.kms_key_arn != null ? { bus = { dlq_name = "${module.context.name_prefix}-bus-dlq" } } : {},
    module.context.cache_is_redis ? { repair = { dlq_name = "${module.context.name_prefix}-repair-dlq" } } : {},
  )
}

locals {
  # For declarations.tf.
  own_settings = merge(
    { for name, settings in module.repair_dlq.settings : "queue repair-dlq" => settings },
    { for name, settings in module.bus_dlq.settings : "queue bus-dlq" => settings },
    { for key, subscriber in module.subscriber : "subscriber ${key}" => subscriber.settings },
    {
      "activity table"  = module.activity.settings
      bus               = module.bus.settings
      parameter         = { for key, parameter in aws_ssm_parameter.output : key => "${parameter.name} = ${nonsensitive(parameter.value)}" }
      "queue relay-dlq" = module.relay_dlq.settings["main"]
    },
  )
}
