locals {
  name = join("-", compact([var.name_prefix, var.name]))

  # Every attribute that is a key of the table or of an index, once.
  key_attributes = merge(
    { (var.hash_key.name) = var.hash_key.type },
    var.range_key == null ? {} : { (var.range_key.name) = var.range_key.type },
    { for index in values(var.global_secondary_indexes) : index.hash_key.name => index.hash_key.type },
    { for index in values(var.global_secondary_indexes) : index.range_key.name => index.range_key.type if index.range_key != null },
    { for index in values(var.local_secondary_indexes) : index.range_key.name => index.range_key.type },
  )

  # The one that exists of the two (provisioned.tf); null without one.
  table       = one(concat(values(aws_dynamodb_table.this), values(aws_dynamodb_table.provisioned)))
  arn         = try(local.table.arn, null)
  index_names = concat(keys(var.global_secondary_indexes), keys(var.local_secondary_indexes))
}

resource "aws_dynamodb_table" "this" {
  for_each = var.create && var.provisioned_capacity == null ? { this = true } : {}

  name      = local.name
  hash_key  = var.hash_key.name
  range_key = try(var.range_key.name, null)

  # Always on demand: a provisioned table needs a resource of its own, which ignores the capacity that auto scaling sets (provisioned.tf).
  billing_mode                = "PAY_PER_REQUEST"
  table_class                 = var.table_class
  deletion_protection_enabled = var.deletion_protection_enabled
  stream_enabled              = var.stream_view_type != null
  stream_view_type            = var.stream_view_type

  dynamic "attribute" {
    for_each = local.key_attributes
    content {
      name = attribute.key
      type = attribute.value
    }
  }

  dynamic "global_secondary_index" {
    for_each = var.global_secondary_indexes
    content {
      name               = global_secondary_index.key
      hash_key           = global_secondary_index.value.hash_key.name
      range_key          = try(global_secondary_index.value.range_key.name, null)
      projection_type    = global_secondary_index.value.projection_type
      non_key_attributes = global_secondary_index.value.projection_type == "INCLUDE" ? global_secondary_index.value.non_key_attributes : null
    }
  }

  dynamic "local_secondary_index" {
    for_each = var.local_secondary_indexes
    content {
      name               = local_secondary_index.key
      range_key          = local_secondary_index.value.range_key.name
      projection_type    = local_secondary_index.value.projection_type
      non_key_attributes = local_secondary_index.value.projection_type == "INCLUDE" ? local_secondary_index.value.non_key_attributes : null
    }
  }

  # A replica is as restorable as the table.
  dynamic "replica" {
    for_each = var.replicas
    content {
      region_name            = replica.key
      kms_key_arn            = replica.value.kms_key_arn
      point_in_time_recovery = var.point_in_time_recovery_enabled
      propagate_tags         = true
    }
  }

  dynamic "ttl" {
    for_each = var.ttl_attribute == null ? [] : [var.ttl_attribute]
    content {
      attribute_name = ttl.value
      enabled        = true
    }
  }

  dynamic "on_demand_throughput" {
    for_each = var.max_request_units == null ? [] : [var.max_request_units]
    content {
      max_read_request_units  = on_demand_throughput.value.read
      max_write_request_units = on_demand_throughput.value.write
    }
  }

  point_in_time_recovery {
    enabled = var.point_in_time_recovery_enabled
  }

  # Without a key the table is encrypted with the key DynamoDB owns (no block = no drift, no cost).
  dynamic "server_side_encryption" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }

  tags = var.tags
}
