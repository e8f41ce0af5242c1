package no.couchexplorers.imagegenerator;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Authenticator;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.PasswordAuthentication;
import java.net.Proxy;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import software.amazon.awssdk.http.ExecutableHttpRequest;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;

/**
 * The SDK's client over Java's own connections, which sets up TLS only when it is spoken, and asks a proxy only where
 * {@link Proxies} says so.
 *
 * <p>The SDK reads all trusted certificates as soon as its client is made, and this takes a quarter of the time in
 * which a message reaches a local cloud over plain HTTP. Of the variables that name proxies it takes HTTP_PROXY for
 * HTTPS too, and does not hear HTTPS_PROXY alone.
 */
final class LazyTlsHttpClient implements SdkHttpClient {
    static {
        // By itself Java keeps Basic, which most proxies ask for, out of CONNECT; it looks here before the first
        // connection.
        System.setProperty("jdk.http.auth.tunneling.disabledSchemes", "");
    }

    private final Duration connectTimeout;
    private final Duration readTimeout;
    private final Proxies proxies;
    private final SdkHttpClient client = UrlConnectionHttpClient.create(this::connect);

    LazyTlsHttpClient(Map<String, String> environment, Duration connectTimeout, Duration readTimeout) {
        this.connectTimeout = connectTimeout;
        this.readTimeout = readTimeout;
        proxies = new Proxies(environment);
    }

    @Override
    public ExecutableHttpRequest prepareRequest(HttpExecuteRequest request) {
        return client.prepareRequest(request);
    }

    private HttpURLConnection connect(URI uri) {
        try {
            HttpURLConnection connection = open(uri);
            connection.setConnectTimeout((int) connectTimeout.toMillis());
            connection.setReadTimeout((int) readTimeout.toMillis());
            return connection;
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private HttpURLConnection open(URI uri) throws IOException {
        if (proxies.excepts(uri)) {
            return (HttpURLConnection) uri.toURL().openConnection(Proxy.NO_PROXY);
        }
        Optional<ProxyServer> named;
        try {
            named = proxies.of(uri);
        } catch (UsageException error) {
            throw new IOException(error.getMessage(), error);
        }
        if (named.isEmpty()) {
            // Java's own properties, https.proxyHost and the like, may still name one.
            return (HttpURLConnection) uri.toURL().openConnection();
        }
        ProxyServer server = named.get();
        Proxy proxy = new Proxy(server.type(), new InetSocketAddress(server.host(), server.port()));
        HttpURLConnection connection = (HttpURLConnection) uri.toURL().openConnection(proxy);
        server.login().ifPresent(login -> logIn(connection, login));
        return connection;
    }

    private static void logIn(HttpURLConnection connection, PasswordAuthentication login) {
        if (connection.getURL().getProtocol().equals("http")) {
            // Unasked, because a message that was sent as a stream cannot be sent again after a refusal.
            connection.setRequestProperty("Proxy-Authorization", basic(login));
        } else {
            // For a tunnel, which Java sets up before the message is sent, and only by an authenticator.
            connection.setAuthenticator(new ProxyLogin(login));
        }
    }

    private static String basic(PasswordAuthentication login) {
        String text = login.getUserName() + ":" + new String(login.getPassword());
        return "Basic " + Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    /** Gives user and password to a proxy, and once: a proxy that asks again does not accept them. */
    private static final class ProxyLogin extends Authenticator {
        private final AtomicReference<PasswordAuthentication> login;

        ProxyLogin(PasswordAuthentication login) {
            this.login = new AtomicReference<>(login);
        }

        @Override
        protected PasswordAuthentication getPasswordAuthentication() {
            return getRequestorType() == RequestorType.PROXY ? login.getAndSet(null) : null;
        }
    }

    @Override
    public String clientName() {
        return "UrlConnection";
    }

    /** Java keeps and closes the connections itself. */
    @Override
    public void close() {
        // Nothing is held here.
    }
}
