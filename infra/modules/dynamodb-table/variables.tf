variable "create" {
  description = "Whether to create the table."
  type        = bool
  default     = true
}

variable "name" {
  description = "Name of the table."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{3,255}$", join("-", compact([var.name_prefix, var.name]))))
    error_message = "name (after name_prefix) must have 3 to 255 characters out of a-z, A-Z, 0-9, '_', '.' and '-'."
  }
}

variable "name_prefix" {
  description = "Prefix of the name, joined with '-'; null for none."
  type        = string
  default     = null
}

variable "hash_key" {
  description = "Partition key: attribute name and type (S, N or B)."
  type = object({
    name = string
    type = optional(string, "S")
  })

  validation {
    condition     = contains(["S", "N", "B"], var.hash_key.type)
    error_message = "hash_key.type must be S, N or B."
  }
}

variable "range_key" {
  description = "Sort key: attribute name and type (S, N or B); null for a table without one."
  type = object({
    name = string
    type = optional(string, "S")
  })
  default = null

  validation {
    condition     = var.range_key == null ? true : contains(["S", "N", "B"], var.range_key.type)
    error_message = "range_key.type must be S, N or B."
  }

  validation {
    condition     = var.range_key == null ? true : var.range_key.name != var.hash_key.name
    error_message = "range_key must be another attribute than hash_key."
  }
}

variable "global_secondary_indexes" {
  description = "Global secondary indexes by name. Reads of an index are always eventually consistent."
  type = map(object({
    hash_key = object({
      name = string
      type = optional(string, "S")
    })
    range_key = optional(object({
      name = string
      type = optional(string, "S")
    }))
    projection_type    = optional(string, "KEYS_ONLY")
    non_key_attributes = optional(list(string), [])
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for index in values(var.global_secondary_indexes) : contains(["ALL", "KEYS_ONLY", "INCLUDE"], index.projection_type)])
    error_message = "projection_type must be ALL, KEYS_ONLY or INCLUDE."
  }

  validation {
    condition = alltrue([
      for index in values(var.global_secondary_indexes) :
      (index.projection_type == "INCLUDE") == (length(index.non_key_attributes) > 0)
    ])
    error_message = "non_key_attributes must be given with projection_type INCLUDE, and only then."
  }

  validation {
    condition     = length(var.global_secondary_indexes) <= 20
    error_message = "DynamoDB allows at most 20 global secondary indexes for a table."
  }

  validation {
    condition     = alltrue(flatten([for index in values(var.global_secondary_indexes) : [for key in [index.hash_key, index.range_key] : key == null ? true : contains(["S", "N", "B"], key.type)]]))
    error_message = "global_secondary_indexes must have keys of type S, N or B."
  }

  validation {
    condition     = alltrue(flatten([for index in values(var.global_secondary_indexes) : [for key in [index.hash_key, index.range_key] : [for own in [var.hash_key, var.range_key] : key == null || own == null ? true : key.name != own.name || key.type == own.type]]]))
    error_message = "global_secondary_indexes must give an attribute the type that it has as a key of the table."
  }
}

variable "local_secondary_indexes" {
  description = "Local secondary indexes by name: another sort key for the items of one partition. They allow strongly consistent reads. DynamoDB creates them with the table only, so a change replaces the table. With one, the items of one partition have at most 10 GB."
  type = map(object({
    range_key = object({
      name = string
      type = optional(string, "S")
    })
    projection_type    = optional(string, "KEYS_ONLY")
    non_key_attributes = optional(list(string), [])
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(var.local_secondary_indexes) == 0 || var.range_key != null
    error_message = "local_secondary_indexes must be empty without range_key: DynamoDB has them for tables with a sort key only."
  }

  validation {
    condition     = length(var.local_secondary_indexes) <= 5 && length(setintersection(keys(var.local_secondary_indexes), keys(var.global_secondary_indexes))) == 0
    error_message = "local_secondary_indexes must be at most 5, with other names than global_secondary_indexes."
  }

  validation {
    condition     = alltrue([for index in values(var.local_secondary_indexes) : contains(["ALL", "KEYS_ONLY", "INCLUDE"], index.projection_type) && (index.projection_type == "INCLUDE") == (length(index.non_key_attributes) > 0)])
    error_message = "local_secondary_indexes.projection_type must be ALL, KEYS_ONLY or INCLUDE; non_key_attributes must be given with INCLUDE, and only then."
  }

  validation {
    condition = alltrue([for index in values(var.local_secondary_indexes) : contains(["S", "N", "B"], index.range_key.type) && index.range_key.name != var.hash_key.name && alltrue([
      for key in concat([var.range_key], flatten([for other in values(var.global_secondary_indexes) : [other.hash_key, other.range_key]])) : key == null ? true : key.name != index.range_key.name || key.type == index.range_key.type
    ])])
    error_message = "local_secondary_indexes.range_key must be another attribute than hash_key, of type S, N or B, and of the type that it has as any other key."
  }
}

variable "table_class" {
  description = "Storage class: STANDARD, or STANDARD_INFREQUENT_ACCESS (storage is cheaper, each request costs more)."
  type        = string
  default     = "STANDARD"

  validation {
    condition     = contains(["STANDARD", "STANDARD_INFREQUENT_ACCESS"], var.table_class)
    error_message = "table_class must be STANDARD or STANDARD_INFREQUENT_ACCESS."
  }
}

variable "replicas" {
  description = "Copies of the table in other Regions, by name of the Region (a global table). Each can be written, the last write of an item wins, and transactions hold in one Region only. A replica has a key of its own (kms_key_arn) if the table has one."
  type = map(object({
    kms_key_arn = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for region in keys(var.replicas) : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]+$", region))])
    error_message = "replicas must be named by Regions, such as eu-central-1."
  }

  validation {
    condition     = length(var.replicas) == 0 || var.stream_view_type == "NEW_AND_OLD_IMAGES"
    error_message = "replicas need stream_view_type = \"NEW_AND_OLD_IMAGES\": DynamoDB copies the table by its stream."
  }

  validation {
    condition     = alltrue([for region, replica in var.replicas : (replica.kms_key_arn != null) == (var.kms_key_arn != null) && (replica.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:${region}:[0-9]{12}:key/.+$", replica.kms_key_arn)))])
    error_message = "replicas.kms_key_arn must be the ARN of a key in the replica's Region if the table has kms_key_arn, and null if not."
  }
}

variable "ttl_attribute" {
  description = "Attribute (Number, seconds) after which DynamoDB deletes an item, usually within 48 h and without a guarantee; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.ttl_attribute == null ? true : length(var.ttl_attribute) > 0
    error_message = "ttl_attribute must be null or the name of an attribute."
  }

  validation {
    condition     = var.ttl_attribute == null ? true : !contains([var.hash_key.name, try(var.range_key.name, "")], var.ttl_attribute)
    error_message = "ttl_attribute must not be a key of the table."
  }
}

variable "stream_view_type" {
  description = "Content of the table's stream: NEW_AND_OLD_IMAGES, NEW_IMAGE, OLD_IMAGE or KEYS_ONLY; null for no stream."
  type        = string
  default     = null

  validation {
    condition     = var.stream_view_type == null ? true : contains(["NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE", "KEYS_ONLY"], var.stream_view_type)
    error_message = "stream_view_type must be null, NEW_AND_OLD_IMAGES, NEW_IMAGE, OLD_IMAGE or KEYS_ONLY."
  }
}

variable "deletion_protection_enabled" {
  description = "Whether DynamoDB refuses to delete the table."
  type        = bool
  default     = true
}

variable "point_in_time_recovery_enabled" {
  description = "Whether the table can be restored to any second of the last 35 days."
  type        = bool
  default     = true
}

variable "max_request_units" {
  description = "Limit of the cost: maximum read and write request units a second of the table (null in a field for no limit there); null for none."
  type = object({
    read  = optional(number)
    write = optional(number)
  })
  default = null

  validation {
    condition = var.max_request_units == null ? true : alltrue([
      for units in [var.max_request_units.read, var.max_request_units.write] : units == null ? true : units >= 1
    ])
    error_message = "max_request_units.read and .write must be at least 1, or null."
  }
}

variable "provisioned_capacity" {
  description = "Read and write units a second that auto scaling keeps between min and max, for the table and for each global secondary index; null for an on-demand table. It aims at target_utilization percent of use (20 to 90). An existing table is moved in the state first, see the notes."
  type = object({
    read = object({
      min = number
      max = number
    })
    write = object({
      min = number
      max = number
    })
    target_utilization = optional(number, 70)
  })
  default = null

  validation {
    condition = var.provisioned_capacity == null ? true : alltrue([
      for range in [var.provisioned_capacity.read, var.provisioned_capacity.write] :
      range.min >= 1 && range.max >= range.min && floor(range.min) == range.min && floor(range.max) == range.max
    ])
    error_message = "provisioned_capacity.read and .write must have whole numbers, a min of at least 1 and a max of at least min."
  }

  validation {
    condition     = var.provisioned_capacity == null ? true : var.provisioned_capacity.target_utilization >= 20 && var.provisioned_capacity.target_utilization <= 90
    error_message = "provisioned_capacity.target_utilization must be 20 to 90 percent."
  }

  validation {
    condition     = var.provisioned_capacity == null || var.max_request_units == null
    error_message = "provisioned_capacity must be null with max_request_units, which limits on-demand tables only. The max of read and write limits a provisioned table."
  }

  validation {
    condition     = var.provisioned_capacity == null || length(var.replicas) == 0
    error_message = "provisioned_capacity must be null with replicas: DynamoDB adds a replica to a provisioned table only after auto scaling of its writes. Leave the table on demand."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key for encryption at rest; null for the key that DynamoDB owns."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (not of an alias), or null."
  }
}

variable "tags" {
  description = "Tags of the table."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && !startswith(lower(key), "aws:") && length(value) <= 256])
    error_message = "tags must have names of 1 to 128 characters that do not start with aws:, and values of at most 256."
  }
}
