package no.couchexplorers.imagegenerator;

import java.io.ByteArrayOutputStream;
import java.net.PasswordAuthentication;
import java.net.Proxy;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A proxy as a variable of the environment names it.
 *
 * @param variable the variable's name
 * @param shown the proxy's address for a person, without its user and password
 * @param type how the proxy is spoken to
 * @param host its host
 * @param port its port
 * @param login user and password, where the variable holds them
 */
record ProxyServer(
        String variable, String shown, Proxy.Type type, String host, int port, Optional<PasswordAuthentication> login) {

    /** By hand, because a password often holds characters that a URI may not: the last "@" ends it. */
    private static final Pattern ADDRESS = Pattern.compile(
            "(?:(?<scheme>[a-z][a-z0-9+.-]*)://)?(?:(?<login>.*)@)?(?<host>\\[[0-9a-f:.%]+]|[^\\s:/?#@\\[\\]]+)(?::(?<port>[0-9]{1,5})?)?/?",
            Pattern.CASE_INSENSITIVE | Pattern.DOTALL);

    private static final int HTTP_PORT = 80;
    /** IANA's port of SOCKS. */
    private static final int SOCKS_PORT = 1080;

    private static final int HIGHEST_PORT = 65_535;

    /** Reads a variable's value; without a scheme it is one for HTTP. */
    static ProxyServer of(String variable, String value) throws UsageException {
        Matcher match = ADDRESS.matcher(value.strip());
        if (!match.matches()) {
            throw wrong(variable, value, "is no address of a proxy");
        }
        String scheme =
                match.group("scheme") == null ? "http" : match.group("scheme").toLowerCase(Locale.ROOT);
        boolean socks = scheme.startsWith("socks");
        if (scheme.equals("https")) {
            throw wrong(variable, value, "is a proxy that is spoken to over TLS, which Java cannot do");
        }
        if (!socks && !scheme.equals("http")) {
            throw wrong(variable, value, "is no address of a proxy");
        }
        int port = socks ? SOCKS_PORT : HTTP_PORT;
        if (match.group("port") != null) {
            port = Integer.parseInt(match.group("port"));
        }
        if (port < 1 || port > HIGHEST_PORT) {
            throw wrong(variable, value, "has a port that is none");
        }
        String host = match.group("host");
        return new ProxyServer(
                variable,
                scheme + "://" + host + ":" + port,
                socks ? Proxy.Type.SOCKS : Proxy.Type.HTTP,
                host.startsWith("[") ? host.substring(1, host.length() - 1) : host,
                port,
                login(match.group("login")));
    }

    /** The proxy with the variable that names it, for a person. */
    String named() {
        return "the proxy " + shown + ", which " + variable + " names";
    }

    private static Optional<PasswordAuthentication> login(String text) {
        if (text == null || text.isEmpty()) {
            return Optional.empty();
        }
        int colon = text.indexOf(':');
        String user = colon < 0 ? text : text.substring(0, colon);
        String password = colon < 0 ? "" : text.substring(colon + 1);
        return Optional.of(
                new PasswordAuthentication(decoded(user), decoded(password).toCharArray()));
    }

    /** Reads percent escapes; a percent sign that begins none stays as it is. */
    private static String decoded(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream plain = new ByteArrayOutputStream();
        for (int index = 0; index < bytes.length; index++) {
            int high = index + 2 < bytes.length ? Character.digit(bytes[index + 1], 16) : -1;
            int low = index + 2 < bytes.length ? Character.digit(bytes[index + 2], 16) : -1;
            if (bytes[index] == '%' && high >= 0 && low >= 0) {
                plain.write(high * 16 + low);
                index += 2;
            } else {
                plain.write(bytes[index]);
            }
        }
        return plain.toString(StandardCharsets.UTF_8);
    }

    /** Shows the value without what stands before its last "@": that may be a password. */
    private static UsageException wrong(String variable, String value, String what) {
        int at = value.lastIndexOf('@');
        String safe = at < 0 ? value : "***" + value.substring(at);
        return new UsageException(variable + " is " + Explanation.quoted(safe) + ", which " + what
                + ": set one like http://proxy.example:3128, or unset it.");
    }
}
