locals {
  functions = var.create ? var.functions : {}

  topic      = var.create && var.topic != null ? { this = var.topic } : {}
  topic_arns = concat(var.topic_arns, [for topic in aws_sns_topic.this : topic.arn])

  # One list of everything that is watched: each entry becomes one alarm.
  function_alarms = merge([for key, function in local.functions : {
    "${key}-errors" = {
      runbook     = "errors"
      description = "${key} fails: more than ${var.error_rate_percent} % of its invocations."
      metrics = {
        errors      = { namespace = "AWS/Lambda", name = "Errors", stat = "Sum", dimensions = { FunctionName = function.name } }
        invocations = { namespace = "AWS/Lambda", name = "Invocations", stat = "Sum", dimensions = { FunctionName = function.name } }
      }
      expression = "IF(invocations > 0, 100 * errors / invocations, 0)"
      threshold  = var.error_rate_percent
      rollback   = true
    }
    "${key}-throttles" = {
      runbook     = "throttles"
      description = "${key} is throttled: the account's or the function's concurrency is used up."
      metrics = {
        value = { namespace = "AWS/Lambda", name = "Throttles", stat = "Sum", dimensions = { FunctionName = function.name } }
      }
      expression = null
      threshold  = 0
      rollback   = false
    }
    "${key}-duration" = {
      runbook     = "duration"
      description = "${key} is slow: p99 above ${coalesce(function.p99_milliseconds, function.timeout_seconds * 800)} ms."
      metrics = {
        value = { namespace = "AWS/Lambda", name = "Duration", stat = "p99", dimensions = { FunctionName = function.name } }
      }
      expression = null
      threshold  = coalesce(function.p99_milliseconds, function.timeout_seconds * 800)
      rollback   = true
    }
  }]...)

  stream_alarms = { for key, function in local.functions : "${key}-iterator-age" => {
    runbook     = "iterator-age"
    description = "${key} falls behind its stream: the oldest record is older than ${function.max_iterator_age_seconds} s."
    metrics = {
      value = { namespace = "AWS/Lambda", name = "IteratorAge", stat = "Maximum", dimensions = { FunctionName = function.name } }
    }
    expression = null
    threshold  = function.max_iterator_age_seconds * 1000
    rollback   = false
  } if function.max_iterator_age_seconds != null }

  queue_alarms = merge([for key, queue in var.create ? var.queues : {} : {
    for name, alarm in {
      "${key}-age" = {
        runbook     = "queue-age"
        description = "Queue ${key} is not read fast enough: the oldest message is older than ${coalesce(queue.max_age_seconds, 300)} s."
        metrics = {
          value = { namespace = "AWS/SQS", name = "ApproximateAgeOfOldestMessage", stat = "Maximum", dimensions = { QueueName = queue.name } }
        }
        expression = null
        threshold  = coalesce(queue.max_age_seconds, 300)
        rollback   = false
      }
      "${key}-dlq" = {
        runbook     = "dead-letters"
        description = "Dead-letter queue ${coalesce(queue.dlq_name, "-")} is not empty: look at what is in it, then redrive."
        metrics = {
          value = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", stat = "Maximum", dimensions = { QueueName = coalesce(queue.dlq_name, "-") } }
        }
        expression = null
        threshold  = 0
        rollback   = false
      }
    } : name => alarm if(endswith(name, "-age") ? queue.name != null : queue.dlq_name != null)
  }]...)

  custom_alarms = { for key, custom in var.create ? var.custom : {} : key => {
    runbook     = coalesce(custom.runbook, key)
    description = custom.description
    metrics     = { for id, metric in custom.metrics : id => merge(metric, { dimensions = metric.dimensions }) }
    expression  = custom.expression
    threshold   = custom.threshold
    rollback    = custom.rollback
  } }

  alarms = merge(local.function_alarms, local.stream_alarms, local.queue_alarms, local.custom_alarms)

  # What to do stands in the description, so also in what the alarm sends.
  see = { for runbook in distinct(concat(["rollback"], [for alarm in values(local.alarms) : alarm.runbook])) : runbook => var.runbooks == null ? "" : " What to do: ${var.runbooks}/${runbook}.md" }

  comparisons = { for key, custom in var.custom : key => custom.comparison }
  missing     = { for key, custom in var.custom : key => custom.missing_data }
  periods     = { for key, custom in var.custom : key => coalesce(custom.period_seconds, var.period_seconds) }
  evaluations = { for key, custom in var.custom : key => coalesce(custom.evaluation_periods, var.evaluation_periods) }
  datapoints  = { for key, custom in var.custom : key => coalesce(custom.datapoints_to_alarm, var.datapoints_to_alarm) }
  rollback    = sort([for key, alarm in local.alarms : key if alarm.rollback])
}

data "aws_caller_identity" "current" {
  for_each = local.topic
}

resource "aws_sns_topic" "this" {
  #checkov:skip=CKV_AWS_26:topic.kms_key_arn encrypts it; CloudWatch cannot use the key of AWS for topics, and an alarm holds names and figures only

  for_each = local.topic

  name              = "${var.name_prefix}-alarms"
  kms_master_key_id = each.value.kms_key_arn
  tags              = var.tags
}

# The alarms of this account, over TLS. Everything else needs a policy of its own.
resource "aws_sns_topic_policy" "this" {
  for_each = local.topic

  arn = aws_sns_topic.this["this"].arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.this["this"].arn
        Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current["this"].account_id } }
      },
      {
        Sid       = "DenyInsecureTransport"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.this["this"].arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

# SNS sends each address a message with a link: until someone follows it, the address gets no alarm.
resource "aws_sns_topic_subscription" "email" {
  for_each = toset(flatten([for topic in local.topic : topic.emails]))

  topic_arn = aws_sns_topic.this["this"].arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name_prefix}-${each.key}"
  alarm_description   = "${each.value.description}${local.see[each.value.runbook]}"
  comparison_operator = lookup(local.comparisons, each.key, "GreaterThanThreshold")
  threshold           = each.value.threshold
  evaluation_periods  = lookup(local.evaluations, each.key, var.evaluation_periods)
  datapoints_to_alarm = lookup(local.datapoints, each.key, var.datapoints_to_alarm)
  treat_missing_data  = lookup(local.missing, each.key, "notBreaching")
  alarm_actions       = local.topic_arns
  ok_actions          = local.topic_arns

  dynamic "metric_query" {
    for_each = each.value.metrics
    content {
      id          = metric_query.key
      return_data = each.value.expression == null

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        stat        = metric_query.value.stat
        dimensions  = metric_query.value.dimensions
        period      = lookup(local.periods, each.key, var.period_seconds)
      }
    }
  }

  dynamic "metric_query" {
    for_each = each.value.expression == null ? [] : [each.value.expression]
    content {
      id          = "result"
      expression  = metric_query.value
      label       = each.key
      return_data = true
    }
  }

  tags = var.tags
}

# One answer to "is the release bad?": what a canary is rolled back by.
resource "aws_cloudwatch_composite_alarm" "rollback" {
  for_each = length(local.rollback) > 0 ? { this = true } : {}

  alarm_name        = "${var.name_prefix}-rollback"
  alarm_description = "A function of ${var.name_prefix} fails or is slow: roll the release back.${local.see["rollback"]}"
  alarm_rule        = join(" OR ", [for key in local.rollback : "ALARM(\"${aws_cloudwatch_metric_alarm.this[key].alarm_name}\")"])
  tags              = var.tags
}
