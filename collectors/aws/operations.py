"""Every call that the collector may make, the right it takes, and the evidence that is lost without it."""

from __future__ import annotations

from collectors.aws.paging import ec2_listing, iam_listing, kms_listing
from collectors.aws.posture_operations import POSTURE
from collectors.aws.source import (
    OF_LOG,
    OF_SEGMENT,
    OF_STORE,
    OF_USER,
    PROMISED,
    Source,
)
from collectors.ports.aws import ASSUME_ROLE, Operation
from scanner.model import Permission

CALLER = Source(
    Operation("sts", "GetCallerIdentity"),
    "says which account answers; every key begins with it",
    tuple(sorted(PROMISED)),
)
_REPORTED = (
    "User.enabled",
    "Credentials",
    "Activity",
    "Authenticators",
    "SignIn",
    "PasswordPolicy",
    "RootUser.access_keys",
    "RootUser.ever_used",
    "RootUser.last_used",
)
DETAILS = Source(
    iam_listing(
        "GetAccountAuthorizationDetails",
        "UserDetailList",
        "GroupDetailList",
        "RoleDetailList",
        "Policies",
        MaxItems=1000,
    ),
    "all users, groups, roles and policies in a few pages",
    (*OF_USER, "AccountAdministration", "RoleTrusts", "Placement"),
)
REPORT_START = Source(
    Operation("iam", "GenerateCredentialReport"),
    "has AWS write the credential report",
    _REPORTED,
    implied=True,
)
REPORT = Source(
    Operation("iam", "GetCredentialReport"),
    "passwords, keys, second factors and last use of every user in one answer",
    _REPORTED,
)
SUMMARY = Source(
    Operation("iam", "GetAccountSummary"),
    "whether the root user has a second factor and keys",
    ("RootUser.mfa", "RootUser.access_keys"),
)
VIRTUAL_DEVICES = Source(
    iam_listing("ListVirtualMFADevices", "VirtualMFADevices", AssignmentStatus="Assigned", MaxItems=1000),
    "whether the second factor of the root user is an application on a telephone",
    ("RootUser.mfa",),
)
USER_DEVICES = Source(
    iam_listing("ListMFADevices", "MFADevices"),
    "kinds of second factors, asked only of users who have one",
    ("Authenticators",),
)
SERVICE_CREDENTIALS = Source(
    iam_listing("ListServiceSpecificCredentials", "ServiceSpecificCredentials", AllUsers=True, MaxItems=1000),
    "keys of single services, which the credential report leaves out: without them nobody is known to be locked out",
    ("User.enabled",),
)
ALIASES = Source(
    iam_listing("ListAccountAliases", "AccountAliases"),
    "name of the account",
    ("Account.name",),
)
ORGANIZATION = Source(
    Operation("organizations", "DescribeOrganization", none=frozenset({"AWSOrganizationsNotInUseException"})),
    "whether policies of an organization may bind users beyond what the account shows, and which is its own",
    ("Credentials.access_keys_need_mfa", "RoleTrusts.trusts"),
)
REGIONS = Source(
    Operation("ec2", "DescribeRegions", lists=("Regions",), given={"AllRegions": True}),
    "in which regions to look, and which the account never opted into",
    (*OF_SEGMENT, *OF_STORE, *OF_LOG, "Placement"),
)
GROUPS = Source(
    ec2_listing("DescribeSecurityGroups", "SecurityGroups", MaxResults=1000),
    "security groups and their rules",
    (*OF_SEGMENT, "Placement"),
)
INTERFACES = Source(
    ec2_listing("DescribeNetworkInterfaces", "NetworkInterfaces", MaxResults=1000),
    "which security groups are bound to anything, and which hosts share one or a subnet",
    (
        "SegmentPolicy.applied",
        "SegmentPolicy.default_action",
        "SegmentPolicy.rules",
        "PeerIsolation.peers",
        "PeerIsolation.means",
        "Microsegmentation.mode",
        "Microsegmentation.final_action",
        "Microsegmentation.unlabelled_workloads",
        "Placement.addresses",
    ),
)
VOLUMES = Source(
    ec2_listing("DescribeVolumes", "Volumes", MaxResults=500),
    "block volumes and whether they are encrypted",
    (*OF_STORE, "Placement"),
)
BUCKETS = Source(
    Operation(
        "s3",
        "ListBuckets",
        right="s3:ListAllMyBuckets",
        lists=("Buckets",),
        page_in="ContinuationToken",
        page_out="ContinuationToken",
        given={"MaxBuckets": 1000},  # only an answer to a request with parameters names the regions
    ),
    "names of the buckets",
    (*OF_STORE, "Placement"),
)
BUCKET_PLACE = Source(
    Operation("s3", "GetBucketLocation"),
    "in which region a bucket must be asked",
    ("DataStore.sensitive", "EncryptionAtRest", "StoreExposure", "Retention", "Placement.tags"),
)
BUCKET_ENCRYPTION = Source(
    Operation(
        "s3",
        "GetBucketEncryption",
        right="s3:GetEncryptionConfiguration",
        none=frozenset({"ServerSideEncryptionConfigurationNotFoundError"}),
    ),
    "default encryption of a bucket and its key",
    ("EncryptionAtRest",),
)
BUCKET_TAGS = Source(
    Operation("s3", "GetBucketTagging", lists=("TagSet",), none=frozenset({"NoSuchTagSet"})),
    "tags, by which systems select their buckets",
    ("Placement.tags", "DataStore.sensitive"),
)
_OF_KEY = ("EncryptionAtRest.key_holder", "EncryptionAtRest.rotation", "EncryptionAtRest.key_apart")
KEYS = Source(
    kms_listing("ListKeys", "Keys"),
    "the keys of the account, to tell them from those of others",
    _OF_KEY,
)
KEY_ALIASES = Source(
    kms_listing("ListAliases", "Aliases"),
    "which key a name stands for",
    _OF_KEY,
)
KEY = Source(
    Operation("kms", "DescribeKey"),
    "who manages a key",
    _OF_KEY,
)
KEY_ROTATION = Source(
    Operation("kms", "GetKeyRotationStatus"), "whether a key is renewed by itself", ("EncryptionAtRest.rotation",)
)
TRAILS = Source(
    Operation("cloudtrail", "DescribeTrails", lists=("trailList",), given={"includeShadowTrails": True}),
    "the trails, those of other regions and of the organization included",
    (*OF_LOG, "Placement"),
)
TRAIL_STATUS = Source(
    Operation("cloudtrail", "GetTrailStatus"),
    "when a trail last delivered",
    ("LogDelivery.ever_arrived", "LogDelivery.last_arrived"),
)
TRAIL_EVENTS = Source(
    Operation("cloudtrail", "GetEventSelectors"),
    "which events a trail carries",
    ("LogSource.pillar", "LogDelivery.carries"),
)

SOURCES: tuple[Source, ...] = (
    CALLER,
    DETAILS,
    REPORT_START,
    REPORT,
    SUMMARY,
    VIRTUAL_DEVICES,
    USER_DEVICES,
    SERVICE_CREDENTIALS,
    ALIASES,
    ORGANIZATION,
    REGIONS,
    GROUPS,
    INTERFACES,
    VOLUMES,
    BUCKETS,
    BUCKET_PLACE,
    BUCKET_ENCRYPTION,
    BUCKET_TAGS,
    KEYS,
    KEY_ALIASES,
    KEY,
    KEY_ROTATION,
    TRAILS,
    TRAIL_STATUS,
    TRAIL_EVENTS,
    *POSTURE,
)
MEMBERS = Source(
    Operation(
        "organizations",
        "ListAccounts",
        lists=("Accounts",),
        page_in="NextToken",
        page_out="NextToken",
        none=frozenset({"AWSOrganizationsNotInUseException"}),
    ),
    "the accounts of the organization; only where options.organization_role says to read them all",
    tuple(sorted(PROMISED)),
)
ALLOWED: tuple[Operation, ...] = (*(source.call for source in SOURCES), MEMBERS.call, ASSUME_ROLE)
"""The whole list; the port refuses any other call."""

PERMISSIONS: tuple[Permission, ...] = (
    *(Permission(name=source.call.permission, why=source.why, facts=source.facts) for source in SOURCES),
    Permission(name=MEMBERS.call.permission, why=MEMBERS.why, facts=MEMBERS.facts),
    Permission(
        name=ASSUME_ROLE.permission,
        why="only where options.assume_role or options.organization_role names a role; on that role alone",
        facts=tuple(sorted(PROMISED)),
    ),
)
