# The same table with provisioned capacity. Auto scaling changes the capacity of the table and of its indexes, so Terraform ignores both, and
# what is ignored cannot depend on a variable. So all arguments of main.tf are here, too, except those of on-demand tables and of replicas.
# Each of the two has its own address, and Terraform would delete one table and create the other. So an existing table is moved first (README.md).
resource "aws_dynamodb_table" "provisioned" {
  #checkov:skip=CKV2_AWS_16:Its targets and policies are below; checkov does not follow for_each to them
  for_each = var.create && var.provisioned_capacity != null ? { this = var.provisioned_capacity } : {}

  name      = local.name
  hash_key  = var.hash_key.name
  range_key = try(var.range_key.name, null)

  # These are the capacities of a new table. Auto scaling changes them.
  billing_mode                = "PROVISIONED"
  read_capacity               = each.value.read.min
  write_capacity              = each.value.write.min
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
      read_capacity      = each.value.read.min
      write_capacity     = each.value.write.min
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

  dynamic "ttl" {
    for_each = var.ttl_attribute == null ? [] : [var.ttl_attribute]
    content {
      attribute_name = ttl.value
      enabled        = true
    }
  }

  point_in_time_recovery {
    enabled = var.point_in_time_recovery_enabled
  }

  dynamic "server_side_encryption" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }

  tags = var.tags

  lifecycle {
    ignore_changes = [read_capacity, write_capacity, global_secondary_index]

    # Terraform would switch an on-demand table to one unit, because the capacity is ignored, and give its indexes none.
    postcondition {
      condition     = self.read_capacity >= 1 && self.write_capacity >= 1
      error_message = "The table ${self.name} is still on demand: give it and its indexes their capacity with aws dynamodb update-table first (README.md of modules/dynamodb-table)."
    }

    # Otherwise a change of the indexes would be ignored silently.
    postcondition {
      condition = { for index in self.global_secondary_index : index.name => jsonencode([compact([index.hash_key, index.range_key]), index.projection_type, sort(coalesce(index.non_key_attributes, []))]) } == {
        for name, index in var.global_secondary_indexes : name => jsonencode([compact([index.hash_key.name, try(index.range_key.name, null)]), index.projection_type, sort(index.non_key_attributes)])
      }
      error_message = "The indexes of a table with provisioned_capacity cannot be changed: make it on demand, change global_secondary_indexes, and make it provisioned again (README.md of modules/dynamodb-table)."
    }
  }
}

locals {
  # By the resources of Application Auto Scaling: the table and each index, with reads and writes of each.
  scaled_resources = merge({ table = "" }, { for name in keys(var.global_secondary_indexes) : "index/${name}" => "/index/${name}" })

  scaled = merge(flatten([for table in values(aws_dynamodb_table.provisioned) : [for key, path in local.scaled_resources : [
    for kind, range in { Read = var.provisioned_capacity.read, Write = var.provisioned_capacity.write } : {
      "${key}/${lower(kind)}" = {
        resource_id = "table/${table.name}${path}"
        dimension   = "dynamodb:${split("/", key)[0]}:${kind}CapacityUnits"
        metric      = "DynamoDB${kind}CapacityUtilization"
        min         = range.min
        max         = range.max
      }
    }
  ]]])...)
}

resource "aws_appautoscaling_target" "this" {
  for_each = local.scaled

  service_namespace  = "dynamodb"
  resource_id        = each.value.resource_id
  scalable_dimension = each.value.dimension
  min_capacity       = each.value.min
  max_capacity       = each.value.max

  tags = var.tags
}

resource "aws_appautoscaling_policy" "this" {
  for_each = local.scaled

  name               = "${each.value.metric}:${each.value.resource_id}"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[each.key].service_namespace
  resource_id        = aws_appautoscaling_target.this[each.key].resource_id
  scalable_dimension = aws_appautoscaling_target.this[each.key].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value = var.provisioned_capacity.target_utilization

    predefined_metric_specification {
      predefined_metric_type = each.value.metric
    }
  }
}
