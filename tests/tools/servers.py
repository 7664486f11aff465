# SPDX-License-Identifier: MIT
"""Real servers and proxies for test_get_servers.py. Each has a temporary directory with its
configuration, listens on 127.0.0.1 and free ports, and is stopped by its process id.

All servers show the same site: the directory `files/` of static files, `private/` and (where the
server has it) `digest/` with a password, `moved`, a redirect to files/small. They pass `raw/` on to
a Peer, and everything else to httpbin, where the server can be a reverse proxy.
"""
import contextlib
import os
import shutil
import subprocess
import tempfile

from lib import Skip, free_port, wait_until

USER, PASSWORD = 'me', 's3cret:x'


def listening_ports(pid):
    """The TCP ports on which the process listens."""
    directory = '/proc/%d/fd' % pid
    sockets = set()
    for name in os.listdir(directory):
        with contextlib.suppress(OSError):  # the descriptor has been closed meanwhile
            sockets.add(os.readlink('%s/%s' % (directory, name)))
    ports = set()
    for table in '/proc/net/tcp', '/proc/net/tcp6':
        with open(table) as f:
            rows = [line.split() for line in f][1:]
        ports |= {int(r[1].rpartition(':')[2], 16) for r in rows if r[3] == '0A' and 'socket:[%s]' % r[9] in sockets}
    return ports


class Daemon:
    """A program that listens on the ports in `ports`, which is a dictionary, from its start."""

    program = None
    names = ()  # of the ports

    def __init__(self):
        self.path = shutil.which(self.program, path='/usr/sbin:/usr/bin:/sbin:/bin')
        if not self.path:
            raise Skip('%s is not installed' % self.program)
        self.directory = tempfile.mkdtemp(prefix='whorl-test-')
        os.chmod(self.directory, 0o755)  # some run as another user
        self.ports = {name: free_port() for name in self.names}
        self.child = None

    def start(self, *argv, **kwargs):
        with open(self.at('output'), 'wb') as output:
            self.child = subprocess.Popen([self.path, *argv], stdin=subprocess.DEVNULL, stdout=output,
                                          stderr=output, cwd=self.directory,
                                          env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': self.directory},
                                          **kwargs)
        try:
            wait_until(self.answers, what='%s answering' % self.program)
        except BaseException:
            with open(self.at('output'), errors='replace') as output:
                print('# ' + output.read()[-2000:].replace('\n', '\n# '))
            self.stop()
            raise
        return self

    def answers(self):
        if self.child.poll() is not None:
            raise AssertionError('%s has ended' % self.program)
        return set(self.ports.values()) <= listening_ports(self.child.pid)

    def at(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.at(name), 'w') as f:
            f.write(text)
        return self.at(name)

    def origin(self, name):
        return '%s://localhost:%d' % ('https' if name.startswith('tls') else 'http', self.ports[name])

    def stop(self):
        if self.child and self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait(10)
        shutil.rmtree(self.directory, ignore_errors=True)


def output_of(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout


class Httpbin(Daemon):
    """python3-httpbin, which belongs to the system's Python."""

    program = 'python3'
    names = ('http',)

    def __init__(self):
        super().__init__()
        if subprocess.run([self.path, '-c', 'import httpbin'], capture_output=True, timeout=60).returncode:
            raise Skip('python3-httpbin is not installed')
        self.start('-B', '-c', '''
import logging
logging.getLogger('werkzeug').setLevel(logging.ERROR)
from httpbin import app
from werkzeug.serving import WSGIRequestHandler
WSGIRequestHandler.protocol_version = 'HTTP/1.1'
app.run('127.0.0.1', %d, threaded=True)''' % self.ports['http'])


class Nginx(Daemon):
    program = 'nginx'
    names = ('http', 'h2c', 'tls', 'tls12', 'tls13', 'tls_client12', 'tls_client13')

    def __init__(self, site):
        super().__init__()
        c = site.certificates
        self.write('users', USER + ':' + output_of('openssl', 'passwd', '-apr1', PASSWORD))
        temp = ' '.join('%s_temp_path %s/tmp;' % (k, self.directory)
                        for k in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        tls = f'ssl_certificate {c.good}; ssl_certificate_key {c.key};'
        ask = f'ssl_verify_client on; ssl_client_certificate {c.ca};'
        servers = ''.join('server { listen 127.0.0.1:%d %s; %s include site; }\n' % (self.ports[name], listen, rest)
                          for name, listen, rest in (
            ('http', '', ''), ('h2c', 'http2', ''), ('tls', 'ssl http2', tls),
            ('tls12', 'ssl http2', tls + 'ssl_protocols TLSv1.2;'),
            ('tls13', 'ssl http2', tls + 'ssl_protocols TLSv1.3;'),
            ('tls_client12', 'ssl http2', tls + ask + 'ssl_protocols TLSv1.2;'),
            ('tls_client13', 'ssl http2', tls + ask + 'ssl_protocols TLSv1.3;')))
        self.write('site', f'''root {site.www};
location /files/ {{ gzip on; brotli on; }}
location = /files/huge {{ limit_rate_after 2m; limit_rate 1m; }}
location = /moved {{ return 301 /files/small; }}
location /private/ {{ alias {site.www}/files/; auth_basic "r"; auth_basic_user_file {self.at('users')}; }}
location /raw/ {{ proxy_pass {site.raw.origin}; proxy_buffering off; }}
location / {{ proxy_pass {site.app.origin('http')}; }}
''')
        self.write('nginx.conf', f'''worker_processes 1; daemon off; master_process off; pid {self.at('pid')};
load_module /usr/lib/nginx/modules/ngx_http_brotli_filter_module.so;
error_log {self.at('error.log')}; events {{ worker_connections 1024; }}
http {{ access_log off; {temp} gzip_types *; gzip_min_length 1; brotli_types *; brotli_min_length 1;
proxy_http_version 1.1; client_max_body_size 10m;
{servers} }}
''')
        self.start('-c', self.at('nginx.conf'), '-e', self.at('error.log'))


class Apache(Daemon):
    program = 'apache2'
    names = ('http', 'tls')

    def __init__(self, site):
        super().__init__()
        c = site.certificates
        modules = ('mpm_event authn_core authn_file authz_core authz_user auth_basic auth_digest alias '
                   'mime filter deflate brotli proxy proxy_http ssl http2 headers socache_shmcb').split()
        load = ''.join('LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n' % (m, m) for m in modules)
        self.write('users', USER + ':' + output_of('openssl', 'passwd', '-apr1', PASSWORD))
        self.write('digests', '%s:r:%s\n' % (USER, site.md5('%s:r:%s' % (USER, PASSWORD))))
        user = 'User www-data\nGroup www-data\n' if os.geteuid() == 0 else ''
        self.write('conf', f'''{load}{user}ServerName localhost
ServerRoot {self.directory}
DefaultRuntimeDir {self.directory}
TypesConfig /dev/null
PidFile {self.at('pid')}
ErrorLog {self.at('error.log')}
Mutex file:{self.directory} default
StartServers 1
ServerLimit 2
ThreadsPerChild 25
MaxRequestWorkers 50
MinSpareThreads 1
MaxSpareThreads 50
Listen 127.0.0.1:{self.ports['http']}
Listen 127.0.0.1:{self.ports['tls']}
Protocols h2 h2c http/1.1
DocumentRoot {site.www}
<Location /files/>
  Require all granted
  SetOutputFilter BROTLI_COMPRESS;DEFLATE
</Location>
Redirect permanent /moved /files/small
Alias /private/ {site.www}/files/
Alias /digest/ {site.www}/files/
<Location /private/>
  AuthType Basic
  AuthName r
  AuthUserFile {self.at('users')}
  Require valid-user
</Location>
<Location /digest/>
  AuthType Digest
  AuthName r
  AuthDigestProvider file
  AuthUserFile {self.at('digests')}
  Require valid-user
</Location>
ProxyPass /files/ !
ProxyPass /moved !
ProxyPass /private/ !
ProxyPass /digest/ !
ProxyPass /raw/ {site.raw.origin}/raw/ flushpackets=on
ProxyPass / {site.app.origin('http')}/
<VirtualHost 127.0.0.1:{self.ports['tls']}>
  SSLEngine on
  SSLCertificateFile {c.good}
  SSLCertificateKeyFile {c.key}
</VirtualHost>
''')
        self.start('-f', self.at('conf'), '-D', 'FOREGROUND')


class Haproxy(Daemon):
    """haproxy in front of nginx, which has the files."""

    program = 'haproxy'
    names = ('http', 'h2c', 'tls', 'tls_client12', 'tls_client13')

    def __init__(self, site, files):
        super().__init__()
        c = site.certificates
        with open(c.good) as a, open(c.key) as b:
            pem = self.write('pem', a.read() + b.read())
        ask = f'ca-file {c.ca} verify required alpn h2,http/1.1'
        self.write('conf', f'''global
  maxconn 200
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
  compression algo gzip
  compression type application/octet-stream text/plain
userlist users
  user {USER} insecure-password {PASSWORD}
frontend all
  bind 127.0.0.1:{self.ports['http']}
  bind 127.0.0.1:{self.ports['h2c']} proto h2
  bind 127.0.0.1:{self.ports['tls']} ssl crt {pem} alpn h2,http/1.1
  bind 127.0.0.1:{self.ports['tls_client12']} ssl crt {pem} {ask} ssl-max-ver TLSv1.2
  bind 127.0.0.1:{self.ports['tls_client13']} ssl crt {pem} {ask} ssl-min-ver TLSv1.3
  acl private path_beg /private/
  http-request auth realm r if private !{{ http_auth(users) }}
  http-request redirect code 301 location /files/small if {{ path /moved }}
  http-request set-path /files/%[path,field(3,/)] if private
  http-request del-header accept-encoding if {{ path_beg /files/ }} !{{ req.hdr(accept-encoding) -m sub gzip }}
  use_backend files if {{ path_beg /files/ }}
  use_backend raw if {{ path_beg /raw/ }}
  default_backend app
backend files
  http-request del-header authorization
  server a 127.0.0.1:{files.ports['http']}
backend raw
  server a 127.0.0.1:{site.raw.port}
backend app
  server a 127.0.0.1:{site.app.ports['http']}
''')
        self.start('-f', self.at('conf'), '-db')


class Caddy(Daemon):
    program = 'caddy'
    names = ('http', 'tls')

    def __init__(self, site):
        super().__init__()
        c = site.certificates
        secret = output_of(self.path, 'hash-password', '--plaintext', PASSWORD).strip()
        self.write('site', f'''  redir /moved /files/small 301
  handle /files/* {{
    encode {{
      zstd
      gzip
      minimum_length 1
      match {{
        header Content-Type *
        header Content-Length *
      }}
    }}
    file_server {{
      root {site.www}
    }}
  }}
  handle_path /private/* {{
    basicauth {{
      {USER} {secret}
    }}
    file_server {{
      root {site.www}/files
    }}
  }}
  handle /raw/* {{
    reverse_proxy {site.raw.origin} {{
      flush_interval -1
    }}
  }}
  handle {{
    reverse_proxy {site.app.origin('http')}
  }}
''')
        self.write('Caddyfile', f'''{{
  admin off
  auto_https off
  storage file_system {self.directory}
  servers {{
    protocols h1 h2 h2c
  }}
}}
http://:{self.ports['http']} {{
  bind 127.0.0.1
  import site
}}
https://:{self.ports['tls']} {{
  bind 127.0.0.1
  tls {c.good} {c.key}
  import site
}}
''')
        self.start('run', '--config', self.at('Caddyfile'), '--adapter', 'caddyfile')


class Nghttpd(Daemon):
    """nghttpd speaks HTTP/2 only, and has files only. It returns the body of a POST."""

    program = 'nghttpd'
    names = ('h2c',)

    def __init__(self, site):
        super().__init__()
        self.start('--echo-upload', '-a', '127.0.0.1', '-d', site.www, '--no-tls', str(self.ports['h2c']))


class NghttpdTls(Daemon):
    program = 'nghttpd'
    names = ('tls',)

    def __init__(self, site):
        super().__init__()
        c = site.certificates
        self.start('--echo-upload', '-a', '127.0.0.1', '-d', site.www, str(self.ports['tls']), c.key, c.good)


class Squid(Daemon):
    program = 'squid'
    names = ('proxy',)

    def __init__(self):
        super().__init__()
        self.write('conf', f'''http_port 127.0.0.1:{self.ports['proxy']}
visible_hostname squid.test
pid_filename none
access_log none
cache_log /dev/null
cache_store_log none
cache deny all
pinger_enable off
shutdown_lifetime 0 seconds
dns_nameservers 127.0.0.1
request_entities on
http_access allow all
''')
        self.start('-N', '-f', self.at('conf'))
        self.url = 'http://127.0.0.1:%d' % self.ports['proxy']


class Tinyproxy(Daemon):
    program = 'tinyproxy'
    names = ('proxy',)

    def __init__(self):
        super().__init__()
        self.write('conf', 'Listen 127.0.0.1\nPort %d\nLogLevel Critical\nMaxClients 50\n' % self.ports['proxy'])
        self.start('-d', '-c', self.at('conf'))
        self.url = 'http://127.0.0.1:%d' % self.ports['proxy']


class Microsocks(Daemon):
    program = 'microsocks'
    names = ('proxy',)

    def __init__(self):
        super().__init__()
        self.start('-i', '127.0.0.1', '-p', str(self.ports['proxy']))
        self.url = 'socks5h://127.0.0.1:%d' % self.ports['proxy']
