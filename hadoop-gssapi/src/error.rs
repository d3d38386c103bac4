//! The error of this crate, and what the numbers of the library mean.

use hadoop_rpc::{KerberosProblem, SaslError};

use crate::raw::major;

/// Why something of Kerberos failed, in words that contain no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {why}")]
pub struct GssError {
    problem: KerberosProblem,
    doing: String,
    why: String,
}

impl GssError {
    pub(crate) fn new(problem: KerberosProblem, doing: impl Into<String>, why: impl Into<String>) -> Self {
        Self { problem, doing: doing.into(), why: why.into() }
    }

    /// The same error about a message: no ticket, key or KDC is at fault then, whatever the number says.
    pub(crate) fn of_message(self) -> Self {
        Self { problem: KerberosProblem::Other, ..self }
    }

    /// What kind of problem it is, which decides what can be done about it.
    pub fn problem(&self) -> KerberosProblem {
        self.problem
    }
}

impl From<GssError> for SaslError {
    fn from(error: GssError) -> Self {
        Self::Kerberos { problem: error.problem, why: error.to_string() }
    }
}

/// The first number of libkrb5's errors; errors of the protocol (RFC 4120, section 7.5.9) come first.
const KRB5: i32 = -1_765_328_384;

/// What kind of problem these two numbers stand for. The minor status is an error of libkrb5, or 0.
pub(crate) fn problem(major: u32, minor: u32) -> KerberosProblem {
    use KerberosProblem::*;
    match minor.cast_signed().wrapping_sub(KRB5) {
        // KDC_ERR_NAME_EXP, KEY_EXPIRED, AP_ERR_TKT_EXPIRED
        1 | 23 | 32 => Expired,
        // KDC_ERR_C_PRINCIPAL_UNKNOWN, CLIENT_REVOKED, CLIENT_NOTYET
        6 | 18 | 21 => UnknownClient,
        // KDC_ERR_S_PRINCIPAL_UNKNOWN
        7 => UnknownServer,
        // KDC_ERR_PREAUTH_FAILED, AP_ERR_BAD_INTEGRITY; KRB5_KT_NOTFOUND, KRB5_PREAUTH_FAILED,
        // KRB5_KEYTAB_BADVNO, KRB5_KT_KVNONOTFOUND, KRB5_KT_FORMAT
        24 | 31 | 181 | 210 | 213 | 230 | 235 => Keytab,
        // AP_ERR_TKT_NYV, AP_ERR_SKEW; KRB5_KDCREP_SKEW
        33 | 37 | 148 => ClockSkew,
        // KRB5_REALM_UNKNOWN, KRB5_KDC_UNREACH, KRB5_REALM_CANT_RESOLVE
        154 | 156 | 220 => KdcUnreachable,
        // KRB5_CONFIG_CANTOPEN, KRB5_CONFIG_BADFORMAT, KRB5_CONFIG_NODEFREALM
        135 | 136 | 224 => Configuration,
        // KRB5_FCC_NOFILE, KRB5_NOCREDS_SUPPLIED, KRB5_CC_NOTFOUND
        195 | 203 | 141 => NoCredentials,
        _ => match major & major::ROUTINE {
            major::NO_CRED => NoCredentials,
            major::CREDENTIALS_EXPIRED => Expired,
            _ => Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_meaning() {
        use KerberosProblem::*;
        const FAILURE: u32 = 13 << 16;
        for (major, minor, expected) in [
            (FAILURE, -1_765_328_352, Expired),
            (FAILURE, -1_765_328_377, UnknownServer),
            (FAILURE, -1_765_328_228, KdcUnreachable),
            (FAILURE, -1_765_328_347, ClockSkew),
            (FAILURE, -1_765_328_248, Configuration),
            (FAILURE, -1_765_328_160, Configuration),
            (FAILURE, -1_765_328_360, Keytab),
            (FAILURE, -1_765_328_189, NoCredentials),
            (FAILURE, -1_765_328_378, UnknownClient),
            (FAILURE, 0, Other),
            (FAILURE, i32::MAX, Other),
            (major::NO_CRED, 39_756_044, NoCredentials),
            (major::CREDENTIALS_EXPIRED, 0, Expired),
        ] {
            assert_eq!(problem(major, minor.cast_unsigned()), expected, "{major:#x} {minor}");
        }
    }

    #[test]
    fn an_error_keeps_its_kind_for_the_caller() {
        let error = GssError::new(KerberosProblem::Keytab, "reading /k", "it is empty");
        let why = "reading /k: it is empty".to_owned();
        assert_eq!(SaslError::from(error), SaslError::Kerberos { problem: KerberosProblem::Keytab, why });
    }
}
