/* SPDX-License-Identifier: MIT */
/* Certificates for tests: an authority of our own, and valid and invalid certificates that it
 * signed.
 *
 * openssl makes them at the first use. They are stored next to the test programs, which share them,
 * and are made again when they are older than a week. cert_path("NAME.pem") is a certificate with
 * its chain, cert_path("NAME.key") its private key:
 *
 *     ca            the authority (RSA-2048); the trust anchor to give to clients
 *     ca-ec         another authority (P-256)
 *     both-cas      ca and ca-ec in one file
 *     foreign-ca    an authority that no client trusts
 *     good          for localhost, one.test, two.test, 127.0.0.1 and ::1; RSA-2048, signed by ca
 *     good-ec       the same names; P-256, signed by ca
 *     ec            the same names; P-256, signed by ca-ec
 *     chain         the same names, signed by an intermediate of ca, which is in the file
 *     no-chain      like chain, without the intermediate
 *     wildcard      for *.wild.test
 *     ip-only       for 127.0.0.1 and ::1, no name
 *     names-only    for localhost, one.test and two.test, no address
 *     common-name   CN=localhost without any alternative name
 *     wrong-name    for wrong.test
 *     expired       the names of good, until 2021
 *     future        the names of good, from 2090
 *     foreign       the names of good, signed by foreign-ca
 *     self-signed   the names of good, signed by itself
 *     not-a-ca      the names of good, signed with the key of `good`, which may not sign
 */
#ifndef TEST_CERTS_H
#define TEST_CERTS_H

/* Returns the path of one of these files. Skips the test when openssl is not installed. Valid for
 * the next fifteen calls. */
const char *cert_path(const char *file);

#endif
