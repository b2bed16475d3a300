output "name" {
  description = "Name of the table."
  value       = try(local.table.name, null)
}

output "arn" {
  description = "ARN of the table."
  value       = local.arn
}

output "stream_arn" {
  description = "ARN of the table's stream; null without one."
  value       = var.stream_view_type == null ? null : try(local.table.stream_arn, null)
}

output "index_arns" {
  description = "ARN of each secondary index, by index name."
  value       = { for name in local.index_names : name => "${local.arn}/index/${name}" if var.create }
}

output "policy_documents" {
  description = "Ready IAM policy documents (JSON): `read` (table and indexes), `write` (single items) and `transact` (what transactions need besides write)."
  value = var.create ? {
    read = jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:Query"]
        Resource = concat([local.arn], [for name in local.index_names : "${local.arn}/index/${name}"])
      }]
    })
    write = jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
        Resource = [local.arn]
      }]
    })
    transact = jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = ["dynamodb:ConditionCheckItem"]
        Resource = [local.arn]
      }]
    })
  } : null
}

output "settings" {
  description = "Settings of the table, taken from the table, for reviews and tests."
  value = try({ for table in [local.table] : "this" => {
    attributes   = { for attribute in table.attribute : attribute.name => attribute.type }
    billing_mode = table.billing_mode
    capacity = { for key, target in aws_appautoscaling_target.this : key => format(
      "%v to %v at %v %% (%v)", target.min_capacity, target.max_capacity,
      aws_appautoscaling_policy.this[key].target_tracking_scaling_policy_configuration[0].target_value, target.scalable_dimension,
    ) }
    deletion_protection = table.deletion_protection_enabled
    indexes = { for index in table.global_secondary_index : index.name => {
      keys       = compact([index.hash_key, index.range_key])
      projection = index.projection_type
      attributes = sort(coalesce(index.non_key_attributes, []))
    } }
    keys                   = compact([table.hash_key, table.range_key])
    kms_key_arns           = [for encryption in table.server_side_encryption : encryption.kms_key_arn if encryption.enabled]
    name                   = table.name
    point_in_time_recovery = table.point_in_time_recovery[0].enabled
    stream                 = table.stream_enabled ? table.stream_view_type : null
    ttl_attributes         = [for ttl in table.ttl : ttl.attribute_name if ttl.enabled]
  } }["this"], null)
}
