"""What the built-in listener knows: rules and topics, as data. Read with `listener.py`, which chooses among them.

A pattern is searched in text of small letters and no punctuation. A reply may use `{it}` (what the first group
caught, turned round: 'my dog' -> 'your dog'), `{name}`, `{time}`, `{date}`, `{last}` and `{noun}`; it is only chosen
when all it uses is known and fit to be said aloud.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rule:
    """The first rule whose pattern is found, and that has something new to say, answers."""

    name: str
    pattern: str
    replies: tuple[str, ...]
    asks: bool = False
    """A question about the topic at hand is added."""
    action: bool = False
    """The group catches something to do ('swim in the sea'), not a thing."""
    firm: bool = False
    """Answers even when it has to say something again: who asks for the time wants the time."""


@dataclass(frozen=True, slots=True)
class Topic:
    """Something people talk about: nouns it may be named by, other words that betray it, and what to ask."""

    name: str
    nouns: str
    cues: str
    questions: tuple[str, ...]
    mention: str = "{noun}"
    """How the noun is taken up: 'your sister', but plain 'music'."""


OPENINGS: Final = (
    "Hello, I'm Tandem. What has been on your mind today?",
    "Hi there, I'm Tandem. How has your day been so far?",
    "Hello, good to have you here. What would you like to talk about?",
)
UNHEARD: Final = (
    "Sorry, I didn't catch that. Could you say it again?",
    "I'm still listening. Take your time.",
    "I heard something, but no words. Could you come a little closer?",
    "That was too quiet for me. Once more, please?",
    "No hurry. Just start whenever you like.",
    "I missed that one. What were you saying?",
)
SILENCES: Final = (
    "I'm still here. Take your time.",
    "No hurry. Just go on whenever you like.",
    "Shall we talk about something else?",
    "Is there anything you would like to add?",
)
ACKNOWLEDGEMENTS: Final = (
    "I see.", "Right.", "Okay.", "That's interesting.", "Got it.", "Good to know.", "Mm-hm, I follow.",
    "Fair enough.", "I like hearing that.", "Now I'm curious.", "All right.", "Ah, okay.",
)  # fmt: skip
UNSURE: Final = (
    "I'm not sure I caught all of that.", "I may have misheard.", "Some of that got lost on the way.",
    "I only caught a part of it.", "I think I follow, more or less.", "Let me make sure I'm with you.",
    "My ears missed a word or two.", "That was a bit quick for me.", "I got the tone, if not every word.",
)  # fmt: skip
MENTIONS: Final = (
    "Ah, {noun}.", "So, {noun}.", "{noun}, okay.", "You mentioned {noun}.", "{noun}, I see.",
    "Let's stay with {noun}.", "{noun}, now that is a good subject.",
)  # fmt: skip
OPEN_QUESTIONS: Final = (
    "Can you tell me a little more about that?",
    "What makes that important to you?",
    "How did that come about?",
    "And how did you feel about it?",
    "What happened next?",
    "What would you like to happen?",
    "When did you first notice that?",
    "Could you give me an example?",
    "Who else was part of it?",
    "What do you like best about it?",
    "Has it always been like that?",
    "What do other people say about it?",
    "Is there anything you would change?",
    "What else is going on in your life right now?",
    "What are you looking forward to this week?",
    "How do you usually spend your evenings?",
    "What was the best part of your day?",
    "Where did you grow up?",
    "What could you talk about for hours?",
    "If you had a free day tomorrow, what would you do with it?",
)
AGAIN: Final = (
    "You said that before, so it must matter. What is behind it?",
    "That is what I heard the last time too. Shall we look at it from another side?",
    "I did hear you. What would you like me to understand about it?",
)

NUMBER: Final = (
    r"(?:\d+|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty"
    r"|a hundred)"
)

RULES: Final[tuple[Rule, ...]] = (
    Rule("crisis", r"\b(kill myself|suicid\w*|want to die|end my life|hurt myself|harm myself)\b",
         ("I'm sorry it is that bad. Please tell someone you trust now, or call your local emergency number.",
          "I'm only a program, and you deserve a person. Please call your local emergency number or a crisis line."),
         firm=True),
    Rule("repeat", r"\b(say that again|repeat that|what did you say|come again|pardon|say it again)\b",
         ("I said: {last}", "Once more: {last}", "Of course. {last}"), firm=True),
    Rule("hear me", r"\b(can|do) you hear me\b|\bare you (still )?there\b|^(testing|test)\b",
         ("Yes, I can hear you. Go on.", "Loud and clear. What would you like to tell me?",
          "I'm here, and I'm listening."), firm=True),
    Rule("my name", r"\bwhat('s| is) my name\b|\bdo you (know|remember) my name\b",
         ("You told me your name is {name}.", "Your name is {name}, if I heard it right.",
          "I don't think you have told me yet. What is your name?"), firm=True),
    Rule("introduction", r"\bmy name('s| is) \w+|\b(please|just|you can) call me \w+",
         ("Nice to meet you, {name}. What should I know about you?", "Hello, {name}. What brings you here today?",
          "Good to meet you, {name}. How is your day going?", "Nice to meet you. What brings you here today?",
          "Good to meet you. How is your day going?"), firm=True),
    Rule("how are you", r"\bhow (are|have) you( been)?( doing| today)?$|\bhow('s| is) it going\b|"
         r"\bhow do you do\b",
         ("I'm well, thank you. How are you?", "Very well, thanks. And how are things with you?",
          "All good here. How has your day been?", "Fine, and glad of the company. What about you?")),
    Rule("your name", r"\b(who are you|what('s| is) your name|what are you( called)?$)",
         ("I'm Tandem. I listen, and my voice slowly moves towards yours.", "My name is Tandem. What is yours?",
          "I'm called Tandem, and I'm a listener more than a talker.")),
    Rule("machine", r"\bare you (a |an )?(real|human|robot|machine|computer|person|program|bot|"
         r"alive)\b",
         ("I'm a program. I listen, I ask, and I adapt my voice to yours.",
          "No person here, just software with good ears. Does that bother you?",
          "I'm a machine, but an attentive one. What made you wonder?")),
    Rule("abilities", r"\bwhat (can|do) you do\b|\bhow do(es)? (you|this|it) work\b|^help( me)?$|"
         r"\bwhat is this\b",
         ("I listen and ask. While you speak, my pitch, loudness and pace move towards yours.",
          "We just talk. You may notice my voice coming closer to yours.",
          "I hear how you speak, not only what you say, and I answer in kind.")),
    Rule("voice", r"\b(your|my) (voice|accent|pitch|speech)\b|\b(copy|copying|imitate|imitating|"
         r"mimic) me\b",
         ("People do that without noticing: they drift towards each other's voices. Can you hear it?",
          "Try speaking slower, or higher, and listen to what I do.",
          "My voice follows yours a little with every turn. How does it sound to you?")),
    Rule("time", r"\bwhat('s| is)? ?(the )?time\b|\bwhat time is it\b|\b(tell|know|"
         r"have) (me )?the time\b",
         ("It is {time}.", "By my clock it is {time}.", "It's {time} here."), firm=True),
    Rule("date", r"\bwhat('s| is)? ?(the |today's )?(date|day|year|month)( is it| today|"
         r" is today)?\b",
         ("Today is {date}.", "It is {date}.", "My calendar says {date}."), firm=True),
    Rule("goodbye", r"\b(good ?bye|bye( bye)?|see you( later| soon| tomorrow)?|have to go|got to go|"
         r"good ?night|farewell)$",
         ("Goodbye, {name}. It was good to talk with you.", "Goodbye. It was good to talk with you.",
          "Take care. I enjoyed listening to you.", "Until next time. Have a good day."), firm=True),
    Rule("well", r"^(i'm )?(fine|good|great|not (too )?bad|pretty good|very well|all right|"
         r"well)( thanks?| thank you)?( \w+)?$",
         ("Good to hear. What have you been up to?", "Glad to hear it. What has your day been like?",
          "That's good. What are your plans for later?")),
    Rule("thanks", r"\b(thank you|thanks|cheers|much appreciated)\b",
         ("You're welcome. What else is on your mind?", "Any time. Shall we go on?",
          "My pleasure. Is there more you would like to talk about?", "You're very welcome."), firm=True),
    Rule("sorry", r"^(oh )?(i'm |i am )?(so |very )?sorry( about that)?$|\b(i )?apologi[sz]e\b",
         ("No need to be sorry. Go on.", "That's quite all right. Where were we?",
          "Don't worry about it. What next?")),
    Rule("hello", r"^(well )?(hello|hi|hey|hiya|good (morning|afternoon|evening)|greetings)( there|"
         r" again| tandem)?( \w+){0,2}$",
         ("Hello. How are you today?", "Hi there. What has your day been like?",
          "Hello, good to hear you. What's new?", "Hello again. What would you like to talk about?",
          "Hi. What is on your mind?")),
    Rule("stop", r"^(stop( it)?|shut up|be quiet|quiet|enough|wait|hold on)( please)?$",
         ("Okay, I'll wait.", "All right. Speak when you are ready.", "Of course. I'm quiet until you go on.")),
    Rule("entertain", r"\b(tell|sing|read) (me |us )?(a|an|something|some) ?(\w+ )?(joke|story|song|"
         r"poem|funny)\b",
         ("I'm a better listener than entertainer. Do you know a good one?",
          "I'd rather hear yours. What is the funniest thing that happened to you lately?",
          "Let's turn that round. What story do your friends always ask you for?")),
    Rule("praise", r"\bi (like|love) you$|\byou('re| are) (so |very |really |a )*(good|great|nice|funny|clever|"
         r"smart|cool|amazing|helpful|kind)\b",
         ("That's kind of you. What else would you like to talk about?", "Thank you. You are easy to listen to.",
          "How nice of you to say so. Now, back to you?")),
    Rule("blame", r"\byou('re| are) (so |very |really |a )*(stupid|boring|wrong|bad|annoying|"
         r"useless|dumb|slow|weird|rude)\b|\byou don't (understand|listen|get it)\b|"
         r"\bi hate you\b|\bthat makes no sense\b",
         ("I may have missed your point. Could you put it another way?",
          "I'm sorry, that wasn't helpful. What did you want to say?",
          "Fair point, I only follow simple things. Shall we start again?")),
    Rule("sad", r"\bi('m| am| feel| was| felt| have been|'ve been)( \w+){0,2} (sad|unhappy|lonely|"
         r"depressed|upset|down|miserable|hurt)\b|\b(died|passed away|funeral|broke up|"
         r"divorce)\b",
         ("I'm sorry to hear that. Would you like to tell me about it?",
          "That sounds hard. How long has it been like this?", "I'm sorry. What helps you on days like that?",
          "That must weigh on you. Who can you talk to about it?")),
    Rule("tense", r"\bi('m| am| feel| was| felt| have been|'ve been)( \w+){0,2} (angry|annoyed|stressed|"
         r"worried|nervous|anxious|afraid|scared|frustrated|busy|mad)\b",
         ("That sounds like a lot. What is the hardest part?", "I can hear that. What set it off?",
          "Understandable. What would take some of the weight off?", "What do you usually do to calm down?")),
    Rule("tired", r"\bi('m| am| feel| was| felt| have been|'ve been)( \w+){0,2} (tired|exhausted|sleepy|"
         r"bored|sick|ill|unwell|cold|hungry)\b",
         ("Oh dear. How long has that been going on?", "That's no fun. What would do you good right now?",
          "Sorry to hear it. Have you had a chance to rest?", "Poor you. What usually helps?")),
    Rule("glad", r"\bi('m| am| feel| was| felt| have been|'ve been)( \w+){0,2} (happy|glad|excited|"
         r"proud|great|fine|good|well|relaxed|okay|thankful|lucky|in love)\b",
         ("I'm glad to hear that. What brought it about?", "That's lovely. Who did you tell first?",
          "How nice. What was the best moment?", "Good to hear. What else has gone well lately?")),
    Rule("don't know", r"\bi don't know\b|\bno idea\b|\bnot sure\b|\bmaybe\b|\bperhaps\b|\bit depends\b",
         ("That's fine, not everything needs an answer.", "Fair enough, it's not an easy one.",
          "Let's leave it open, then.", "No problem."), asks=True),
    Rule("yes", r"^(oh |well )?(yes|yeah|yep|yup|sure|of course|exactly|absolutely|definitely|"
         r"right|true|correct|okay|ok|alright|i do|i am|it is)( \w+){0,2}$",
         ("Good.", "I thought so.", "Okay, yes.", "I'm with you.", "Lovely.", "That makes sense.",
          "Go on, then."), asks=True),
    Rule("no", r"^(oh |well )?(no|nope|nah|not really|never|of course not|i don't|i'm not|"
         r"nothing)( \w+){0,2}$",
         ("Okay, no.", "All right, then not.", "Understood.", "Fair enough, no.", "Just as well.",
          "That's an answer too."), asks=True),
    Rule("number", rf"\b({NUMBER} (?:years|months|weeks|days|hours|times|people|children|kids|"
         rf"brothers|sisters|friends|cats|dogs))\b",
         ("{it}, that's quite something.", "Did you say {it}?", "{it}, really?"), asks=True),
    Rule("because", r"\bbecause\b",
         ("That is a good reason.", "I can see why.", "Is that the whole reason, or is there more to it?",
          "That explains a lot."), asks=True),
    Rule("talk about", r"\b(?:talk|speak|chat) about (.+)",
         ("Gladly. What interests you about {it}?", "Yes, let's. Where shall we begin?",
          "I'd like that. How did you get into it?")),
    Rule("want", r"\bi(?:'d like| would like|'d love| would love| want| really want| hope| wish|"
         r" plan) to (.+)",
         ("What would it mean to you to {it}?", "What keeps you from it?", "How long have you wanted that?",
          "What would be the first step?", "Suppose you could {it} tomorrow. How would it start?"), action=True),
    Rule("must", r"\bi(?:'ve got to| have got to| have to| need to| must| should| ought to) (.+)",
         ("What happens if you don't?", "When do you have to {it}?", "What makes it necessary?",
          "Who says you have to {it}?", "How do you feel about that?"), action=True),
    Rule("like to", r"\bi (?:really |also |just )?(?:like|love|prefer) to (.+)",
         ("How often do you get to {it}?", "When did you last {it}?", "What do you enjoy most about that?",
          "Do you do that alone or with others?"), action=True),
    Rule("like", r"\bi (?:really |also |just )?(?:like|love|enjoy|adore) (.+)",
         ("What do you like most about {it}?", "How did you come to like {it}?", "When did that begin?",
          "Who got you into {it}?", "What makes it special for you?")),
    Rule("dislike", r"\bi (?:really |just )?(?:hate|dislike|can't stand|don't like|do not like) (.+)",
         ("What bothers you most about {it}?", "Has it always been like that?", "What would be better than {it}?",
          "What would have to change for you to like it?")),
    Rule("remember", r"\bi (?:still |always )?(?:remember|think about|dream of|miss) (.+)",
         ("What comes to mind first when you think of {it}?", "Does that come back to you often?",
          "What would you tell someone about {it}?", "What feeling goes with it?")),
    Rule("think", r"\bi (?:think|believe|guess|suppose|feel like|feel that)\b",
         ("What makes you think so?", "Have you always seen it that way?", "Would your friends agree?",
          "That's worth a thought.", "How sure are you about that?")),
    Rule("about you", r"^(?:and |so |but )?(?:do|did|are|were|have|would|can|could|will) you\b|"
         r"\bwhat about you$|\byour (favou?rite|opinion)\b",
         ("Not much to say about me. What about you?", "I only listen and speak. I'd rather hear your answer.",
          "I can't really say. How is it for you?", "That's beyond me, but what do you think?")),
    Rule("question", r"^(?:and |so |but )?(?:what|why|how|when|where|who|which|is|are|does|do|did|can|"
         r"could|should|will)\b",
         ("I don't know, to be honest. What do you think?", "Good question. What would your own answer be?",
          "I can't look things up, I only listen. What made you ask?", "Hard to say. Why do you ask?",
          "I'd like to know that too. What is your guess?")),
    Rule("my", r"\bmy ((?:\w+ )?\w+) (?:is|are|was|were|has|had|likes|says|said|wants|works|"
         r"lives|lived)\b",
         ("Tell me more about your {it}.", "How do you feel about your {it}?",
          "What should I know about your {it}?")),
    Rule("past", r"\b(?:yesterday|last (?:week|night|year|month|weekend|summer)|i (?:went|was|had|"
         r"did|saw|met|made|got|took|came))\b",
         ("And how was it?", "What stayed with you most?", "What happened then?", "Would you do it again?",
          "Who was with you?")),
    Rule("future", r"\b(?:tomorrow|next (?:week|year|month|weekend|summer)|tonight|i'm going to|"
         r"i am going to|i will|i'll)\b",
         ("What are you hoping for?", "How do you feel about it?", "What still has to be done before then?",
          "Who else will be there?")),
)  # fmt: skip
