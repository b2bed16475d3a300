locals {
  name = join("-", compact([var.name_prefix, var.name]))

  # SQS requires this ending of a FIFO queue's name, and of no other.
  ending = var.fifo == null ? "" : ".fifo"

  external_dlq_arn      = try(var.dead_letter_queue.external_arn, null)
  has_dead_letters      = var.create && var.dead_letter_queue != null
  has_dead_letter_queue = local.has_dead_letters && local.external_dlq_arn == null

  queues = merge(
    var.create ? { main = "${local.name}${local.ending}" } : {},
    local.has_dead_letter_queue ? { dlq = "${local.name}-dlq${local.ending}" } : {},
  )

  # The name is known while planning: alarms are made for the queues that have one.
  dlq_name = try(aws_sqs_queue.this["dlq"].name, local.has_dead_letters ? element(split(":", local.external_dlq_arn), 5) : null)
  dlq_arn  = local.has_dead_letters ? try(aws_sqs_queue.this["dlq"].arn, local.external_dlq_arn) : null
}

# Redrive and policies are resources of their own, so that both queues are created side by side: the provider waits some
# 25 s after each change of a queue's attributes.
resource "aws_sqs_queue" "this" {
  for_each = local.queues

  name                       = each.value
  visibility_timeout_seconds = each.key == "main" ? var.visibility_timeout_seconds : 30
  message_retention_seconds  = each.key == "main" ? var.message_retention_seconds : try(var.dead_letter_queue.message_retention_seconds, null)
  max_message_size           = var.max_message_size_bytes
  receive_wait_time_seconds  = 20
  delay_seconds              = each.key == "main" ? var.delay_seconds : 0

  # A queue that is not FIFO must not have these at all. Messages move to the dead-letter queue with the deduplication id that they have.
  fifo_queue                  = var.fifo == null ? null : true
  content_based_deduplication = var.fifo == null ? null : each.key == "main" && var.fifo.content_based_deduplication
  deduplication_scope         = try(var.fifo.high_throughput ? "messageGroup" : "queue", null)
  fifo_throughput_limit       = try(var.fifo.high_throughput ? "perMessageGroupId" : "perQueue", null)

  # SSE with the key SQS owns, unless a customer-managed one is given.
  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = var.kms_key_arn == null ? null : 300

  tags = var.tags
}

resource "aws_sqs_queue_redrive_policy" "this" {
  for_each = local.has_dead_letters ? { main = true } : {}

  queue_url = aws_sqs_queue.this["main"].url
  redrive_policy = jsonencode({
    deadLetterTargetArn = local.dlq_arn
    maxReceiveCount     = var.dead_letter_queue.max_receive_count
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "this" {
  for_each = local.has_dead_letter_queue ? { dlq = true } : {}

  queue_url = aws_sqs_queue.this["dlq"].url
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.this["main"].arn]
  })
}

resource "aws_sqs_queue_policy" "this" {
  for_each = { for key, name in local.queues : key => name if var.deny_insecure_transport || (key == "main" && length(var.senders) + length(var.policy_statements) > 0) }

  queue_url = aws_sqs_queue.this[each.key].url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      var.deny_insecure_transport ? [{
        Sid       = "DenyInsecureTransport"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.this[each.key].arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }] : [],
      [for sid, sender in each.key == "main" ? var.senders : {} : {
        Sid       = sid
        Effect    = "Allow"
        Principal = { Service = sender.service }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.this[each.key].arn
        Condition = { ArnEquals = { "aws:SourceArn" = sender.source_arn } }
      }],
      [for sid, statement in each.key == "main" ? var.policy_statements : {} : merge(
        {
          Sid       = sid
          Effect    = statement.effect
          Principal = { for kind, principals in statement.principals : kind => sort(principals) }
          Action    = sort(statement.actions)
          Resource  = aws_sqs_queue.this[each.key].arn
        },
        length(statement.conditions) == 0 ? {} : { Condition = statement.conditions },
      )],
    )
  })
}
