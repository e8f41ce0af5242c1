package no.couchexplorers.imagegenerator;

import static no.couchexplorers.imagegenerator.Failing.refusal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.PasswordAuthentication;
import java.net.Proxy;
import java.net.URI;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ProxiesTest {
    private static final URI AWS = URI.create("https://sqs.eu-west-1.amazonaws.com");
    private static final URI PLAIN = URI.create("http://queue.example:9324");

    @ParameterizedTest
    @CsvSource({
        "https_proxy, true, false",
        "HTTPS_PROXY, true, false",
        "http_proxy, false, true",
        "HTTP_PROXY, false, true",
        "all_proxy, true, true",
        "ALL_PROXY, true, true",
        "Https_Proxy, false, false",
        "ftp_proxy, false, false",
    })
    void each_variable_counts_for_its_scheme(String variable, boolean https, boolean http) throws UsageException {
        Proxies proxies = new Proxies(Map.of(variable, "http://proxy.example:3128"));

        assertEquals(https, proxies.of(AWS).isPresent());
        assertEquals(http, proxies.of(PLAIN).isPresent());
    }

    @Test
    void the_special_variable_counts_before_the_general_and_the_lower_case_before_the_upper() throws UsageException {
        Map<String, String> environment = new HashMap<>();
        for (String variable : new String[] {"ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"}) {
            environment.put(variable, "http://" + variable.replace('_', '-') + ".example");

            assertEquals(
                    variable, new Proxies(environment).of(AWS).orElseThrow().variable());
        }
        environment.put("https_proxy", " ");
        assertEquals(
                "HTTPS_PROXY", new Proxies(environment).of(AWS).orElseThrow().variable());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://localhost:4566",
                "http://LOCALHOST.:4566",
                "http://127.0.0.1:4566",
                "http://127.1.2.3",
                "https://127.0.0.1",
                "http://[::1]:4566",
                "http://sqs.localhost:4566",
            })
    void the_loopback_address_is_asked_directly_whatever_is_set(String address) throws UsageException {
        Map<String, String> environment =
                Map.of("http_proxy", "http://p", "HTTPS_PROXY", "http://p", "ALL_PROXY", "nonsense:port:x");

        assertEquals(Optional.empty(), new Proxies(environment).of(URI.create(address)));
        assertTrue(new Proxies(environment).excepts(URI.create(address)));
    }

    @ParameterizedTest
    @CsvSource({
        "amazonaws.com, true",
        ".amazonaws.com, true",
        "*.amazonaws.com, true",
        "AmazonAWS.com., true",
        "sqs.eu-west-1.amazonaws.com, true",
        "sqs.eu-west-1.amazonaws.com:443, true",
        "sqs.eu-west-1.amazonaws.com:444, false",
        "*, true",
        "'other.example, amazonaws.com', true",
        "'other.example amazonaws.com', true",
        "aws.com, false",
        "eu-west-1, false",
        "., false",
        "10.0.0.0/8, false",
        "'', false",
    })
    void no_proxy_excepts_a_name_and_what_is_below_it(String excepted, boolean expected) {
        assertEquals(expected, new Proxies(Map.of("NO_PROXY", excepted)).excepts(AWS));
        assertEquals(expected, new Proxies(Map.of("no_proxy", excepted)).excepts(AWS));
        assertEquals(expected, new Proxies(Map.of("no_proxy", "x.example", "NO_PROXY", excepted)).excepts(AWS));
    }

    @ParameterizedTest
    @CsvSource({
        "10.1.2.3, http://10.1.2.3, true",
        "10.0.0.0/8, http://10.1.2.3, true",
        "10.1.2.2/31, http://10.1.2.3:9324, true",
        "10.1.2.4/31, http://10.1.2.3, false",
        "0.0.0.0/0, http://10.1.2.3, true",
        "10.0.0.0/33, http://10.1.2.3, false",
        "10.0.0.0/x, http://10.1.2.3, false",
        "1.2.3, http://10.1.2.3, false",
        "fd00::/8, http://[fd00::1], true",
        "fd00::1, http://[fd00:0:0::1]:80, true",
        "[fd00::1]:80, http://[fd00::1], true",
        "[fd00::1]:81, http://[fd00::1], false",
        "fd00::/8, http://10.1.2.3, false",
    })
    void no_proxy_excepts_addresses_and_networks(String excepted, String address, boolean expected) {
        assertEquals(expected, new Proxies(Map.of("NO_PROXY", excepted)).excepts(URI.create(address)));
    }

    @ParameterizedTest
    @CsvSource({
        "proxy.example:3128, HTTP, proxy.example, 3128, http://proxy.example:3128",
        "proxy.example, HTTP, proxy.example, 80, http://proxy.example:80",
        "http://proxy.example/, HTTP, proxy.example, 80, http://proxy.example:80",
        "HTTP://10.0.0.1:8080, HTTP, 10.0.0.1, 8080, http://10.0.0.1:8080",
        "http://[fd00::1]:3128, HTTP, fd00::1, 3128, http://[fd00::1]:3128",
        "socks5://proxy.example, SOCKS, proxy.example, 1080, socks5://proxy.example:1080",
        "socks5h://proxy.example:9050, SOCKS, proxy.example, 9050, socks5h://proxy.example:9050",
    })
    void a_proxy_is_read_with_and_without_scheme_and_port(
            String value, Proxy.Type type, String host, int port, String shown) throws UsageException {
        ProxyServer proxy = ProxyServer.of("https_proxy", value);

        assertEquals(new ProxyServer("https_proxy", shown, type, host, port, Optional.empty()), proxy);
    }

    @ParameterizedTest
    @CsvSource({
        "http://me:secret@proxy.example:3128, me, secret",
        "me:secret@proxy.example:3128, me, secret",
        "http://me@proxy.example:3128, me, ''",
        "http://me:p@ss@proxy.example:3128, me, p@ss",
        "http://me:a:b@proxy.example:3128, me, a:b",
        "http://me:a/b?c#d@proxy.example:3128, me, a/b?c#d",
        "http://me:100%@proxy.example:3128, me, 100%",
        "http://me:%zz%4@proxy.example:3128, me, %zz%4",
        "http://me:p%40ss%3A@proxy.example:3128, me, p@ss:",
        "http://CORP%5Cme:%C3%A5@proxy.example:3128, CORP\\me, å",
        "http://me:[x]@proxy.example:3128, me, [x]",
        "http://me:a b@proxy.example:3128, me, a b",
    })
    void odd_users_and_passwords_are_read_and_never_shown(String value, String user, String password)
            throws UsageException {
        ProxyServer proxy = ProxyServer.of("HTTPS_PROXY", value);

        PasswordAuthentication login = proxy.login().orElseThrow();
        assertEquals(user, login.getUserName());
        assertEquals(password, new String(login.getPassword()));
        assertEquals("http://proxy.example:3128", proxy.shown());
        assertEquals(3128, proxy.port());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://",
                "http://:3128",
                "http://proxy.example:port",
                "http://proxy.example:0",
                "http://proxy.example:65536",
                "http://proxy.example:99999",
                "http://proxy.example:999999",
                "http://proxy.example/path",
                "ftp://proxy.example",
                "https://proxy.example:3128",
                "http://me:secret@",
                "http://me:secret@proxy.example:-1",
                "two words",
                "://",
            })
    void what_is_no_proxy_is_told_by_the_variables_name_and_without_the_password(String value) {
        String sentence = refusal(() -> new Proxies(Map.of("HTTPS_PROXY", value)).of(AWS));

        assertTrue(sentence.startsWith("HTTPS_PROXY is \""), sentence);
        assertTrue(sentence.endsWith(": set one like http://proxy.example:3128, or unset it."), sentence);
        assertFalse(sentence.contains("secret"), sentence);
        assertEquals(1, sentence.lines().count());
    }

    @Test
    void a_broken_variable_of_another_scheme_does_no_harm() throws UsageException {
        assertEquals(Optional.empty(), new Proxies(Map.of("http_proxy", "http://:x")).of(AWS));
    }
}
