variable "create" {
  description = "Whether to create the network."
  type        = bool
  default     = true
}

variable "name" {
  description = "Name of the network and prefix of its parts."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,50}$", join("-", compact([var.name_prefix, var.name]))))
    error_message = "name (after name_prefix) must have 1 to 50 characters out of a-z, A-Z, 0-9, '_' and '-'."
  }
}

variable "name_prefix" {
  description = "Prefix of the name, joined with '-'; null for none."
  type        = string
  default     = null
}

variable "cidr_block" {
  description = "Addresses of the network (/16 to /24)."
  type        = string
  default     = "10.40.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr_block, 0)) && try(tonumber(split("/", var.cidr_block)[1]) >= 16 && tonumber(split("/", var.cidr_block)[1]) <= 24, false)
    error_message = "cidr_block must be an IPv4 block of /16 to /24."
  }
}

variable "subnet_newbits" {
  description = "Bits that a subnet's prefix is longer than the network's. Each function's interfaces take addresses: keep subnets large."
  type        = number
  default     = 4

  validation {
    condition     = var.subnet_newbits >= 1 && try(tonumber(split("/", var.cidr_block)[1]) + var.subnet_newbits <= 28, false)
    error_message = "subnet_newbits must be 1 or more, and give subnets of /28 or larger."
  }

  validation {
    condition     = pow(2, var.subnet_newbits) >= length(var.availability_zones)
    error_message = "subnet_newbits must give a subnet to each availability zone."
  }
}

variable "availability_zones" {
  description = "Zones with a private subnet each; at least two, so that the failure of one zone does not stop all functions. Empty with existing_vpc."
  type        = list(string)
  default     = []

  validation {
    condition     = var.existing_vpc != null ? length(var.availability_zones) == 0 : length(var.availability_zones) >= 2 && length(distinct(var.availability_zones)) == length(var.availability_zones)
    error_message = "availability_zones must be at least two different zones, and empty with existing_vpc, which has subnets of its own."
  }
}

variable "existing_vpc" {
  description = "A VPC that exists, with the subnets of the functions. The module then creates no VPC, no subnet and no flow log, only security groups and endpoints. With route_table_ids it adds the gateway endpoint to DynamoDB to these tables; without them the VPC must have one. Null for a VPC of its own."
  type = object({
    vpc_id          = string
    subnet_ids      = list(string)
    route_table_ids = optional(list(string), [])
  })
  default = null

  validation {
    condition     = var.existing_vpc == null ? true : can(regex("^vpc-[0-9a-z]+$", var.existing_vpc.vpc_id)) && length(distinct(var.existing_vpc.subnet_ids)) >= 2 && alltrue([for id in var.existing_vpc.subnet_ids : can(regex("^subnet-[0-9a-z]+$", id))])
    error_message = "existing_vpc must have the id of a VPC (vpc-…) and at least two subnets of it (subnet-…), in different zones."
  }

  validation {
    condition     = var.existing_vpc == null ? true : alltrue([for id in var.existing_vpc.route_table_ids : can(regex("^rtb-[0-9a-z]+$", id))])
    error_message = "existing_vpc.route_table_ids must be ids of route tables (rtb-…); leave them out if the VPC has an endpoint to DynamoDB."
  }
}

variable "dynamodb_table_arns" {
  description = "Tables that can be reached from the network."
  type        = list(string)

  validation {
    condition     = length(var.dynamodb_table_arns) > 0 && alltrue([for arn in var.dynamodb_table_arns : startswith(arn, "arn:")])
    error_message = "dynamodb_table_arns must be ARNs of tables, at least one."
  }
}

variable "endpoint_kms_key_arns" {
  description = "KMS keys that can be used from the network (Encrypt and Decrypt), through an interface endpoint: AWS charges it by the hour in each zone. Null for no endpoint."
  type        = list(string)
  default     = null

  validation {
    condition     = var.endpoint_kms_key_arns == null ? true : length(var.endpoint_kms_key_arns) > 0 && alltrue([for arn in var.endpoint_kms_key_arns : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", arn))])
    error_message = "endpoint_kms_key_arns must be ARNs of keys (not of aliases), at least one, or null."
  }
}

variable "interface_endpoints" {
  description = "Further services that can be used from the network, by the end of the service's name (sqs, events, ssm), with the actions and resources that pass. AWS charges each endpoint by the hour in each zone. Use endpoint_kms_key_arns for KMS."
  type = map(object({
    actions   = set(string)
    resources = set(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for service in keys(var.interface_endpoints) : can(regex("^[a-z0-9][a-z0-9.-]*$", service)) && !contains(["dynamodb", "execute-api", "kms"], service)])
    error_message = "interface_endpoints must be named by services such as sqs. DynamoDB has its gateway endpoint, KMS has endpoint_kms_key_arns, and an execute-api endpoint breaks @connections."
  }

  validation {
    condition     = alltrue([for endpoint in values(var.interface_endpoints) : length(endpoint.actions) > 0 && length(endpoint.resources) > 0 && alltrue([for action in endpoint.actions : can(regex("^[a-z0-9-]+:[A-Za-z]+$", action))]) && alltrue([for resource in endpoint.resources : startswith(resource, "arn:")])])
    error_message = "interface_endpoints must name single actions, such as sqs:SendMessage, and ARNs of resources, at least one of each."
  }
}

variable "flow_logs_enabled" {
  description = "Whether refused traffic is logged. The flow log of an existing VPC belongs to its owner."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "Retention of the flow logs; one of the values that CloudWatch allows."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a value that CloudWatch Logs allows, such as 7, 30, 90 or 365."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key for flow logs; null for the key that CloudWatch owns."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (not of an alias), or null."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the flow logs' role; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of a policy, or null."
  }
}

variable "tags" {
  description = "Tags of all resources that support them."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && !startswith(lower(key), "aws:") && length(value) <= 256])
    error_message = "tags must have names of 1 to 128 characters that do not start with aws:, and values of at most 256."
  }
}
