/* SPDX-License-Identifier: MIT */
/* Certificates for tests: an authority of our own and what it signed, right and wrong.
 *
 * Made by openssl at first use, kept beside the test programs for all of them, and made again when
 * they are older than a week. cert_path("NAME.pem") is a certificate (with its chain),
 * cert_path("NAME.key") its private key:
 *
 *     ca            the authority (RSA-2048); the trust anchor to give to clients
 *     ca-ec         another authority (P-256)
 *     both-cas      ca and ca-ec in one file
 *     foreign-ca    an authority nobody trusts
 *     good          for localhost, one.test, two.test, 127.0.0.1 and ::1; RSA-2048, by ca
 *     good-ec       the same names; P-256, by ca
 *     ec            the same names; P-256, by ca-ec
 *     chain         the same names, by an intermediate of ca, which is in the file
 *     no-chain      as chain, the intermediate left out
 *     wildcard      for *.wild.test
 *     ip-only       for 127.0.0.1 and ::1, no name
 *     names-only    for localhost, one.test and two.test, no address
 *     common-name   CN=localhost without any alternative name
 *     wrong-name    for wrong.test
 *     expired       the good names, until 2021
 *     future        the good names, from 2090
 *     foreign       the good names, by foreign-ca
 *     self-signed   the good names, by itself
 *     not-a-ca      the good names, signed with `good`'s key, which may not sign
 */
#ifndef TEST_CERTS_H
#define TEST_CERTS_H

/* The path of one of the files; skips the test where there is no openssl. Valid for fifteen further
 * calls. */
const char *cert_path(const char *file);

#endif
