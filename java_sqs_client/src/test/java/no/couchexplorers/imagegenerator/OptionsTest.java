package no.couchexplorers.imagegenerator;

import static no.couchexplorers.imagegenerator.Failing.refusal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OptionsTest {
    private static final String URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/prompts";
    private static final Map<String, String> ENVIRONMENT = Map.of("SQS_QUEUE_URL", URL);

    @Test
    void the_only_argument_is_the_prompt_and_the_queue_stands_in_the_environment() throws UsageException {
        Options options = parse("me on top of a pyramid");

        assertEquals(Optional.of("me on top of a pyramid"), options.prompt());
        assertEquals(URL, options.queueUrl());
        assertFalse(options.json());
        assertFalse(options.debug());
    }

    @Test
    void the_option_counts_more_than_the_environment() throws UsageException {
        assertEquals(
                "http://localhost:4566/1/q",
                parse("--queue-url", "http://localhost:4566/1/q", "x").queueUrl());
    }

    @Test
    void options_may_stand_after_the_prompt() throws UsageException {
        Options options = parse("a jeep", "--json", "--debug");

        assertTrue(options.json());
        assertTrue(options.debug());
    }

    @ParameterizedTest
    @ValueSource(strings = {"@home", "\"quoted\"", "${env:HOME}", "a=b", "'", "\\", " blanks ", "søt 🦊 狐"})
    void a_prompt_is_taken_as_it_is(String prompt) throws UsageException {
        assertEquals(Optional.of(prompt), parse(prompt).prompt());
    }

    @Test
    void a_prompt_that_starts_with_a_dash_stands_after_two_dashes() throws UsageException {
        assertEquals(Optional.of("-5 degrees"), parse("--", "-5 degrees").prompt());
        assertEquals(
                "Unknown option: '-5 degrees': --help lists the options, and a prompt that starts with a dash stands "
                        + "after \"--\".",
                refusal(() -> parse("-5 degrees")));
    }

    @Test
    void a_file_takes_the_place_of_the_prompt() throws UsageException {
        assertEquals(Optional.of("prompts.txt"), parse("--file", "prompts.txt").file());
        assertEquals(Optional.of("-"), parse("--file", "-").file());
        assertEquals(Optional.of("-"), parse("--file=-").file());
    }

    @Test
    void without_a_prompt_the_sentence_shows_one() {
        assertEquals(
                "No prompt is given: write it in quotes, imagegenerator \"me on top of a pyramid\", or name a file of "
                        + "prompts with --file.",
                refusal(() -> parse()));
    }

    @Test
    void a_prompt_without_quotes_is_shown_with_them() {
        assertEquals(
                "The prompt must be one argument and these are 3: put it in quotes, \"me on top\".",
                refusal(() -> parse("me", "on", "top")));
    }

    @Test
    void a_prompt_and_a_file_are_too_much() {
        assertEquals(
                "A prompt and --file prompts.txt are both given: give one of them.",
                refusal(() -> parse("--file", "prompts.txt", "a jeep")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "  "})
    void an_empty_queue_url_is_none(String url) {
        String sentence = "No queue is given: set SQS_QUEUE_URL to the queue's URL, "
                + "https://sqs.eu-west-1.amazonaws.com/<account>/<queue>, or give it with --queue-url.";

        assertEquals(sentence, refusal(() -> Options.parse(new String[] {"x"}, Map.of())));
        assertEquals(sentence, refusal(() -> Options.parse(new String[] {"x"}, Map.of("SQS_QUEUE_URL", url))));
    }

    @Test
    void an_option_without_its_value_or_given_twice_is_told() {
        assertEquals(
                "Missing required parameter for option '--file' (FILE): --help shows how.",
                refusal(() -> parse("--file")));
        assertEquals(
                "option '--file' (FILE) should be specified only once: --help shows how.",
                refusal(() -> parse("--file", "a", "--file", "b")));
    }

    @Test
    void help_wants_neither_prompt_nor_queue() throws UsageException {
        String help = Options.parse(new String[] {"--help"}, Map.of()).answer().orElseThrow();

        for (String option : new String[] {"--queue-url", "--file", "--json", "--debug", "--version", "PROMPT"}) {
            assertTrue(help.contains(option), option);
        }
    }

    private static Options parse(String... arguments) throws UsageException {
        return Options.parse(arguments, ENVIRONMENT);
    }
}
